import type { FileHandle } from 'node:fs/promises';
import { rename } from 'node:fs/promises';
import { lockFile } from 'cgroup-utils-native';
import { linesOf } from './file.js';
import { type Folder, UNFINISHED } from './folder.js';
import { decode, encode, type HeadRecord, type MessageRecord } from './record.js';
import { createFile, removeFile } from './room.js';

/**
 * One spool file of a running box. Messages are written with write(2) as they come, so that a SIGKILL of the wrapper
 * loses none of them. The file is locked, so that nobody else delivers it while the wrapper lives. It appears with a
 * complete head, because it is written under a temporary name and then renamed.
 */
export class Segment implements AsyncDisposable {
  readonly #folder: Folder;
  readonly #handle: FileHandle;
  readonly #headBytes: number;
  #bytes: number;
  /** Offset up to which it was read back. */
  #readTo = 0;
  /** Number of the last message in it; while it is empty, the number before its first one. */
  last: number;
  /** Number of messages that are only in this file. */
  unread = 0;

  private constructor(
    folder: Folder,
    readonly name: string,
    readonly head: HeadRecord,
    handle: FileHandle,
    headBytes: number,
  ) {
    this.#folder = folder;
    this.#handle = handle;
    this.#headBytes = headBytes;
    this.#bytes = headBytes;
    this.last = head.first - 1;
  }

  /** Makes a segment, which replaces a file of that name. @throws Error with `code`; then nothing has changed */
  static async create(folder: Folder, name: string, head: HeadRecord): Promise<Segment> {
    const temporary = `${name}${UNFINISHED}`;
    const handle = await createFile(folder, temporary);
    try {
      if (!lockFile(handle.fd)) throw Object.assign(new Error(`${temporary} is in use`), { code: 'EBUSY' });
      const bytes = Buffer.from(encode(head));
      await writeAll(handle, bytes);
      await rename(folder.at(temporary), folder.at(name));
      return new Segment(folder, name, head, handle, bytes.length);
    } catch (error) {
      await handle.close();
      try {
        await removeFile(folder, temporary);
      } catch {
        // EIO, EROFS or ESTALE: the same problem as the error that the caller gets. room.ts counts unfinished files and
        // removes old ones.
      }
      throw error;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === this.#headBytes;
  }

  /** Whether the head stands for messages that were given up. */
  get standsForLost(): boolean {
    return this.head.first > this.head.from;
  }

  /** Appends the whole text or nothing. @throws Error with `code` */
  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    try {
      await writeAll(this.#handle, bytes);
    } catch (error) {
      // An incomplete record would count as a damaged one.
      await this.#handle.truncate(this.#bytes);
      throw error;
    }
    this.#bytes += bytes.length;
  }

  /** Reads on through the messages with higher numbers than `above()`; each is read once. @throws Error with `code` */
  async *read(above: () => number): AsyncGenerator<MessageRecord> {
    for await (const { text, end } of linesOf(this.#handle, this.#readTo)) {
      this.#readTo = end;
      const record = text === undefined ? undefined : decode(text);
      if (record === undefined || !('n' in record) || record.n <= above()) continue;
      this.unread--;
      yield record;
    }
  }

  /** Removes everything but the head. @throws Error with `code` */
  async clear(): Promise<void> {
    await this.#handle.truncate(this.#headBytes);
    this.#bytes = this.#headBytes;
    this.#readTo = 0;
  }

  async remove(): Promise<void> {
    await removeFile(this.#folder, this.name);
    await this.#handle.close();
  }

  /** Flushes the file to disk and leaves it to be delivered later. @throws Error with `code` */
  async leave(): Promise<void> {
    await this.#handle.datasync();
    await this.#handle.close();
  }

  /** Closes the file, which stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, null);
    if (bytesWritten === 0) throw Object.assign(new Error('write: nothing was taken'), { code: 'ENOSPC' });
    written += bytesWritten;
  }
}
