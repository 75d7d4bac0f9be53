import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import type { Logger } from '../log.js';
import { examine, FILE_MAX_BYTES, openSpooled, statOf } from './file.js';
import { BAD, boxOf, type Folder, SPOOLED, UNFINISHED } from './folder.js';
import { encode } from './record.js';

/**
 * The bounds of a user's spool. What has to go is the oldest: of its file the head is left, which says how many
 * messages it stood for, so that their number is published when the spool is delivered.
 */
export interface Bounds {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** A head alone. */
const HEAD_MAX_BYTES = 4096;

/**
 * Removes what other boxes have left and is too old, and the oldest until there is room for as many bytes more.
 * @param more bytes that the caller has and wants
 * @param box the caller's
 * @returns bytes that the others have left to the caller
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

/** @returns bytes that are left of it */
async function empty(folder: Folder, name: string, bytes: number, why: string, log: Logger): Promise<number> {
  const found = await openSpooled(folder, name);
  if (found.kind === 'gone') return 0;
  if (found.kind !== 'locked') return bytes;
  await using file = found.file;
  if (file.bytes > FILE_MAX_BYTES) {
    await unlink(folder.at(name));
    log.warn(`spool: removed ${folder.shown(name)} with ${file.bytes} bytes, which no box has written: ${why}`);
    return 0;
  }
  const { head, messages, last, noRoom, through } = await examine(file);
  if (!name.endsWith(SPOOLED) || head === undefined || last === 0) {
    // Set aside before, unfinished, or nothing but a head that nobody has fetched since.
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

/** A new file, 0600; one of that name, which somebody has left unfinished, is removed first. */
export async function createFile(folder: Folder, name: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  await removeFile(folder, name);
  return await open(folder.at(name), O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

/** No matter if it is there. @throws Error with `code` */
export async function removeFile(folder: Folder, name: string): Promise<void> {
  try {
    await unlink(folder.at(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
