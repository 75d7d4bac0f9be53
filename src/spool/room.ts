import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import type { Logger } from '../log.js';
import { examine, FILE_MAX_BYTES, openSpooled, statOf } from './file.js';
import { BAD, boxOf, type Folder, SPOOLED, UNFINISHED } from './folder.js';
import { encode } from './record.js';

/**
 * The bounds of a user's spool. The oldest file goes first. Its head stays and says how many messages were lost, so
 * that the number is published when the spool is delivered.
 */
export interface Bounds {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** A file of at most this size is taken for a head alone, which frees no room. */
const HEAD_MAX_BYTES = 4096;

/**
 * Removes files of other boxes that are too old, and then the oldest ones until there is enough room.
 * @param more bytes that the caller's own files have, and want in addition
 * @param box the caller's box
 * @returns bytes that the files of other boxes leave to the caller
 */
export async function makeRoom(
  folder: Folder,
  bounds: Bounds,
  more: number,
  box: string,
  log: Logger,
): Promise<number> {
  const nowMs = Date.now();
  const others: { name: string; bytes: number; changedAtMs: number }[] = [];
  for (const suffix of [SPOOLED, BAD, UNFINISHED]) {
    for (const name of await folder.names(suffix)) {
      const stats = boxOf(name) === box ? undefined : await statOf(folder, name);
      if (stats !== undefined) others.push({ name, bytes: stats.size, changedAtMs: stats.mtimeMs });
    }
  }
  others.sort((a, b) => a.changedAtMs - b.changedAtMs);
  let total = others.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { name, bytes, changedAtMs } of others) {
    const old = nowMs - changedAtMs > bounds.maxAgeMs;
    const full = total + more > bounds.maxBytes && bytes > HEAD_MAX_BYTES;
    if (old || full) total -= bytes - (await empty(folder, name, bytes, old ? 'too old' : 'the spool is full', log));
  }
  return Math.max(0, bounds.maxBytes - total);
}

/** @returns size of what is left of the file, in bytes */
async function empty(folder: Folder, name: string, bytes: number, why: string, log: Logger): Promise<number> {
  const found = await openSpooled(folder, name);
  if (found.kind === 'gone') return 0;
  if (found.kind !== 'locked') return bytes;
  await using file = found.file;
  if (file.bytes > FILE_MAX_BYTES) {
    await unlink(folder.at(name));
    log.warn(`spool: removed ${folder.shown(name)} with ${file.bytes} bytes, which is not a file of a box: ${why}`);
    return 0;
  }
  const { head, messages, last, noRoom, through } = await examine(file);
  if (!name.endsWith(SPOOLED) || head === undefined || last === 0) {
    // It was set aside, is unfinished, or is only a head that nobody has delivered since.
    await unlink(folder.at(name));
    if (messages + noRoom > 0)
      log.warn(`spool: removed ${folder.shown(name)} with ${messages + noRoom} messages: ${why}`);
    return 0;
  }
  log.warn(`spool: gave up ${messages} messages of ${folder.shown(name)}: ${why}`);
  const left = encode({ ...head, from: Math.max(head.from, through + 1), first: last + 1 });
  await replace(folder, name, left);
  return left.length;
}

async function replace(folder: Folder, name: string, text: string): Promise<void> {
  const temporary = `${name}${UNFINISHED}`;
  await using handle = await createFile(folder, temporary);
  await handle.write(text);
  await handle.sync();
  await rename(folder.at(temporary), folder.at(name));
}

/** Makes a new file with mode 0600, after removing an unfinished one of that name. @throws Error with `code` */
export async function createFile(folder: Folder, name: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  await removeFile(folder, name);
  return await open(folder.at(name), O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

/** Removes a file if it exists. @throws Error with `code` */
export async function removeFile(folder: Folder, name: string): Promise<void> {
  try {
    await unlink(folder.at(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
