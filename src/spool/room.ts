import { closeSync, constants, fsyncSync, openSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import type { Logger } from '../log.js';
import { examine, openSpooled } from './file.js';
import { BAD, type Folder, SPOOLED, UNFINISHED } from './folder.js';
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
 * Removes what is too old, and the oldest until there is room for as many bytes more.
 * @param except name of the caller's own file
 * @returns bytes that the others have left to the caller
 */
export function makeRoom(folder: Folder, bounds: Bounds, more: number, except: string, log: Logger): number {
  const nowMs = Date.now();
  const others = [SPOOLED, BAD, UNFINISHED]
    .flatMap((suffix) => folder.names(suffix))
    .filter((name) => name !== except && name !== `${except}${UNFINISHED}`)
    .flatMap((name) => {
      const stats = statSync(folder.at(name), { throwIfNoEntry: false });
      return stats === undefined ? [] : [{ name, bytes: stats.size, changedAtMs: stats.mtimeMs }];
    })
    .sort((a, b) => a.changedAtMs - b.changedAtMs);
  let total = others.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { name, bytes, changedAtMs } of others) {
    const old = nowMs - changedAtMs > bounds.maxAgeMs;
    const full = total + more > bounds.maxBytes && bytes > HEAD_MAX_BYTES;
    if (old || full) total -= bytes - empty(folder, name, old ? 'too old' : 'the spool is full', log);
  }
  return Math.max(0, bounds.maxBytes - total);
}

/** @returns bytes that are left of it */
function empty(folder: Folder, name: string, why: string, log: Logger): number {
  const found = openSpooled(folder, name);
  if (found.kind !== 'locked') return 0;
  using file = found.file;
  const { head, messages, last, noRoom, through } = examine(file);
  if (!name.endsWith(SPOOLED) || head === undefined || last === 0) {
    // Set aside before, unfinished, or nothing but a head that nobody has fetched since.
    unlinkSync(folder.at(name));
    if (messages + noRoom > 0)
      log.warn(`spool: removed ${folder.shown(name)} with ${messages + noRoom} messages: ${why}`);
    return 0;
  }
  log.warn(`spool: gave up ${messages} messages of ${folder.shown(name)}: ${why}`);
  const left = encode({ ...head, from: Math.max(head.from, through + 1), first: last + 1 });
  replace(folder, name, left);
  return left.length;
}

function replace(folder: Folder, name: string, text: string): void {
  const temporary = `${name}${UNFINISHED}`;
  const fd = createFile(folder, temporary);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(folder.at(temporary), folder.at(name));
}

/** A new file, 0600; one of that name, which somebody has left unfinished, is removed first. */
export function createFile(folder: Folder, name: string): number {
  const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    unlinkSync(folder.at(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return openSync(folder.at(name), O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}
