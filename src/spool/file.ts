import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { lockFile } from 'cgroup-utils-native';
import type { Folder } from './folder.js';
import { decode, type HeadRecord, type MessageRecord } from './record.js';

/** A spool file that was found: opened without trust in who made it, and locked against everybody else. */

export type Found =
  | { readonly kind: 'locked'; readonly file: SpoolFile }
  /** Its box lives, or somebody else delivers it. */
  | { readonly kind: 'in use' }
  | { readonly kind: 'gone' }
  /** Not one that a box of this user has made; `why` says what is wrong. */
  | { readonly kind: 'foreign'; readonly why: string };

export interface SpoolFile extends Disposable {
  readonly fd: number;
  readonly name: string;
  readonly bytes: number;
  /** Of the last write, ms since the epoch. */
  readonly changedAtMs: number;
}

/** What a first pass over a file tells. */
export interface Contents {
  readonly head: HeadRecord | undefined;
  /** Messages that are not with the broker yet. */
  readonly messages: number;
  /** Numbers up to this one are done. */
  readonly through: number;
  /** Highest number in it; 0 where it holds none. */
  readonly last: number;
  /** Lines that are damaged or torn. */
  readonly broken: number;
  /** Messages that there was no room for. */
  readonly noRoom: number;
}

const CHUNK_BYTES = 64 * 1024;
/** A line over it is damaged. */
const LINE_MAX_BYTES = 64 * 1024 * 1024;

/** @throws Error with `code`, as node:fs does */
export function openSpooled(folder: Folder, name: string): Found {
  // O_NOFOLLOW: no symbolic link; O_NONBLOCK: a FIFO does not hold us up.
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let fd: number;
  try {
    fd = openSync(folder.at(name), flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'gone' };
    if (code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') return { kind: 'foreign', why: 'it is no file' };
    throw error;
  }
  const found = lockedFile(folder, name, fd);
  if (found.kind !== 'locked') closeSync(fd);
  return found;
}

function lockedFile(folder: Folder, name: string, fd: number): Found {
  const why = distrust(folder, fstatSync(fd));
  if (why !== undefined) return { kind: 'foreign', why };
  if (!lockFile(fd)) return { kind: 'in use' };
  // While we waited for the lock its holder may have removed or replaced it.
  const { ino, nlink, size, mtimeMs } = fstatSync(fd);
  if (nlink === 0 || statSync(folder.at(name), { throwIfNoEntry: false })?.ino !== ino) return { kind: 'gone' };
  const file = { fd, name, bytes: size, changedAtMs: mtimeMs, [Symbol.dispose]: () => closeSync(fd) };
  return { kind: 'locked', file };
}

function distrust({ uid }: Folder, stats: Stats): string | undefined {
  if (!stats.isFile()) return 'it is no file';
  if (stats.uid !== uid) return `it belongs to uid ${stats.uid}`;
  if (stats.nlink > 1) return 'it has a second name (hard link)';
  if ((stats.mode & 0o077) !== 0) return `others may read or write it (mode 0${(stats.mode & 0o777).toString(8)})`;
  return undefined;
}

export function examine(file: SpoolFile): Contents {
  let head: HeadRecord | undefined;
  let through = 0;
  let last = 0;
  let broken = 0;
  for (const line of linesOf(file.fd)) {
    const record = line === undefined ? undefined : decode(line);
    if (record === undefined) broken++;
    else if ('spool' in record) head = record;
    else if ('through' in record) through = Math.max(through, record.through);
    else last = Math.max(last, record.n);
  }
  let messages = 0;
  for (const _ of messagesOf(file, through)) messages++;
  const noRoom = head === undefined ? 0 : Math.max(0, head.first - Math.max(head.from, through + 1));
  return { head, messages, through, last, broken, noRoom };
}

/** Messages whose number is above `through`, in the order of the file. */
export function* messagesOf({ fd }: SpoolFile, through: number): Generator<MessageRecord> {
  for (const line of linesOf(fd)) {
    const record = line === undefined ? undefined : decode(line);
    if (record !== undefined && 'n' in record && record.n > through) yield record;
  }
}

/** Its lines; undefined for one that is torn (no end) or too long. */
function* linesOf(fd: number): Generator<string | undefined> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let parts: Buffer[] = [];
  let length = 0;
  let position = 0;
  for (;;) {
    const count = readSync(fd, chunk, 0, CHUNK_BYTES, position);
    if (count === 0) break;
    position += count;
    let from = 0;
    for (let end = chunk.indexOf(10, 0); end !== -1 && end < count; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end));
      yield length > LINE_MAX_BYTES ? undefined : Buffer.concat(parts).toString('utf8');
      parts = [];
      length = 0;
      from = end + 1;
    }
    length += count - from;
    // Of a line that is too long only its end is looked for.
    if (length <= LINE_MAX_BYTES) parts.push(Buffer.from(chunk.subarray(from, count)));
    else parts = [];
  }
  if (length > 0) yield undefined;
}
