/** Makes archives that the kernel unpacks into its first file system: cpio "newc", Documentation/driver-api/early-userspace. */

/**
 * @param {{ path: string, mode?: number, data?: string | Buffer }[]} entries parents before children. An entry without `data`
 *   is a directory; one with the file type of a link (0o120777) has its target as `data`
 * @returns {Buffer} the archive; concatenated archives form one file system
 */
export function cpio(entries) {
  const records = entries.map(({ path, mode, data }, index) =>
    record(path, index + 1, mode ?? (data === undefined ? 0o040755 : 0o100644), Buffer.from(data ?? '')),
  );
  return padded(Buffer.concat([...records, record('TRAILER!!!', 0, 0, Buffer.alloc(0))]), 512);
}

function record(path, inode, mode, data) {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, checksum
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([padded(Buffer.concat([header, name]), 4), padded(data, 4)]);
}

function padded(data, unit) {
  return Buffer.concat([data, Buffer.alloc((unit - (data.length % unit)) % unit)]);
}
