import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { lockFile } from 'cgroup-utils-native';
import type { Folder } from './folder.js';
import { decode, type HeadRecord, type MessageRecord } from './record.js';

/** Opens spool files without trusting whoever made them, locks them, and reads their records. */

export type Found =
  | { readonly kind: 'locked'; readonly file: SpoolFile }
  /** Its box is running, or another process is delivering it. */
  | { readonly kind: 'in use' }
  | { readonly kind: 'gone' }
  /** No box of this user has made it; `why` says what shows that. */
  | { readonly kind: 'foreign'; readonly why: string };

export interface SpoolFile extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly name: string;
  /** Size when it was opened; later additions are not read. */
  readonly bytes: number;
}

/** What a first pass over a file finds. */
export interface Contents {
  readonly head: HeadRecord | undefined;
  /** Messages that the broker does not have yet. */
  readonly messages: number;
  /** Messages up to this number are done. */
  readonly through: number;
  /** Highest message number in the file; 0 if it holds no message. */
  readonly last: number;
  /** Lines that are damaged or incomplete. Above BROKEN_MAX the rest was not read. */
  readonly broken: number;
  /** Messages that were given up because the spool was full. */
  readonly noRoom: number;
}

export interface Line {
  /** Undefined if the line is too long, or incomplete because its newline is missing. */
  readonly text: string | undefined;
  /** Offset of the next line. */
  readonly end: number;
}

const CHUNK_BYTES = 64 * 1024;
/** No box writes a longer file: a segment has 8 MiB, unless a single message is longer. */
export const FILE_MAX_BYTES = 32 * 1024 * 1024;
/** A file with more damaged lines than this is not a spool file, and is not read further. */
export const BROKEN_MAX = 10_000;
/** A longer line counts as damaged. */
const LINE_MAX_BYTES = 16 * 1024 * 1024;

/** Opens and locks a file of the folder. @throws Error with `code`, as node:fs does */
export async function openSpooled(folder: Folder, name: string): Promise<Found> {
  // O_NOFOLLOW refuses a symbolic link; O_NONBLOCK keeps a FIFO from blocking us.
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let handle: FileHandle;
  try {
    handle = await open(folder.at(name), flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'gone' };
    if (code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO')
      return { kind: 'foreign', why: 'it is not a regular file' };
    throw error;
  }
  const found = await lockedFile(folder, name, handle);
  if (found.kind !== 'locked') await handle.close();
  return found;
}

async function lockedFile(folder: Folder, name: string, handle: FileHandle): Promise<Found> {
  const why = distrust(folder, await handle.stat());
  if (why !== undefined) return { kind: 'foreign', why };
  if (!lockFile(handle.fd)) return { kind: 'in use' };
  // Between our open and the lock, another process may have removed or replaced the file.
  const { ino, nlink, size: bytes } = await handle.stat();
  if (nlink === 0 || (await statOf(folder, name))?.ino !== ino) return { kind: 'gone' };
  return { kind: 'locked', file: { handle, name, bytes, [Symbol.asyncDispose]: () => handle.close() } };
}

/** @returns undefined if there is no such file. @throws Error with `code` */
export async function statOf(folder: Folder, name: string): Promise<Stats | undefined> {
  try {
    return await lstat(folder.at(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

function distrust({ uid }: Folder, stats: Stats): string | undefined {
  if (!stats.isFile()) return 'it is not a regular file';
  if (stats.uid !== uid) return `it belongs to uid ${stats.uid}`;
  if (stats.nlink > 1) return 'it has a second name (hard link)';
  if ((stats.mode & 0o077) !== 0) return `others may read or write it (mode 0${(stats.mode & 0o777).toString(8)})`;
  return undefined;
}

/** Reads the whole file once. @throws Error with `code` */
export async function examine(file: SpoolFile): Promise<Contents> {
  let head: HeadRecord | undefined;
  let through = 0;
  let broken = 0;
  const numbers: number[] = [];
  for await (const { text } of linesOf(file.handle, 0, file.bytes)) {
    const record = text === undefined ? undefined : decode(text);
    if (record === undefined) broken++;
    else if ('spool' in record) head = record;
    else if ('through' in record) through = Math.max(through, record.through);
    else numbers.push(record.n);
    if (broken > BROKEN_MAX) break;
  }
  const messages = numbers.reduce((sum, n) => (n > through ? sum + 1 : sum), 0);
  const last = numbers.reduce((most, n) => Math.max(most, n), 0);
  const noRoom = head === undefined ? 0 : Math.max(0, head.first - Math.max(head.from, through + 1));
  return { head, messages, through, last, broken, noRoom };
}

/** The messages with numbers above `through`, in the order of the file. */
export async function* messagesOf({ handle, bytes }: SpoolFile, through: number): AsyncGenerator<MessageRecord> {
  for await (const { text } of linesOf(handle, 0, bytes)) {
    const record = text === undefined ? undefined : decode(text);
    if (record !== undefined && 'n' in record && record.n > through) yield record;
  }
}

/**
 * Reads lines, each of bounded length.
 * @param from offset of the beginning of a line
 * @param to offset at which to stop, since a file may grow while it is read
 */
export async function* linesOf(handle: FileHandle, from = 0, to = Number.POSITIVE_INFINITY): AsyncGenerator<Line> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let parts: Buffer[] = [];
  let length = 0;
  let position = from;
  for (;;) {
    const wanted = Math.min(CHUNK_BYTES, to - position);
    const { bytesRead } = wanted > 0 ? await handle.read(chunk, 0, wanted, position) : { bytesRead: 0 };
    if (bytesRead === 0) break;
    let at = 0;
    for (let end = chunk.indexOf(10); end !== -1 && end < bytesRead; end = chunk.indexOf(10, at)) {
      parts.push(chunk.subarray(at, end));
      const text = length > LINE_MAX_BYTES ? undefined : Buffer.concat(parts).toString('utf8');
      yield { text, end: position + end + 1 };
      parts = [];
      length = 0;
      at = end + 1;
    }
    length += bytesRead - at;
    // A line that is too long is skipped up to its end.
    if (length <= LINE_MAX_BYTES) parts.push(Buffer.from(chunk.subarray(at, bytesRead)));
    else parts = [];
    position += bytesRead;
  }
  if (length > 0) yield { text: undefined, end: position };
}
