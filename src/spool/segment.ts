import type { FileHandle } from 'node:fs/promises';
import { rename } from 'node:fs/promises';
import { lockFile } from 'cgroup-utils-native';
import { linesOf } from './file.js';
import { type Folder, UNFINISHED } from './folder.js';
import { decode, encode, type HeadRecord, type MessageRecord } from './record.js';
import { createFile, removeFile } from './room.js';

/**
 * One file of a box that lives: written with write(2) as messages come, so that a SIGKILL of the wrapper loses nothing of
 * it; locked, so that nobody else delivers it while the wrapper lives. It appears whole: written beside, then renamed.
 */
export class Segment implements AsyncDisposable {
  readonly #folder: Folder;
  readonly #handle: FileHandle;
  readonly #headBytes: number;
  #bytes: number;
  /** Up to here it was read back. */
  #readTo = 0;
  /** Number of the last message that was written to it; of none, that of the one before it. */
  last: number;
  /** Messages in it that are nowhere else. */
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

  /** Takes the place of a file of that name. @throws Error with `code`; nothing has changed then */
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
        // EIO, EROFS or ESTALE: the same trouble. The caller is told why the file could not be written; room.ts counts
        // unfinished files and empties old ones.
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

  /** Its head tells of messages that were given up. */
  get standsForLost(): boolean {
    return this.head.first > this.head.from;
  }

  /** All of it or nothing. @throws Error with `code` */
  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    try {
      await writeAll(this.#handle, bytes);
    } catch (error) {
      // Half a record would be taken for a damaged one.
      await this.#handle.truncate(this.#bytes);
      throw error;
    }
    this.#bytes += bytes.length;
  }

  /** The next of its messages above that number; each is read once. @throws Error with `code` */
  async *read(above: () => number): AsyncGenerator<MessageRecord> {
    for await (const { text, end } of linesOf(this.#handle, this.#readTo)) {
      this.#readTo = end;
      const record = text === undefined ? undefined : decode(text);
      if (record === undefined || !('n' in record) || record.n <= above()) continue;
      this.unread--;
      yield record;
    }
  }

  /** Nothing of what was written needs keeping any more. */
  async clear(): Promise<void> {
    await this.#handle.truncate(this.#headBytes);
    this.#bytes = this.#headBytes;
    this.#readTo = 0;
  }

  async remove(): Promise<void> {
    await removeFile(this.#folder, this.name);
    await this.#handle.close();
  }

  /** To the disk, for whoever delivers it. */
  async leave(): Promise<void> {
    await this.#handle.datasync();
    await this.#handle.close();
  }

  /** The file stays. */
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
