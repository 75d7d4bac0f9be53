import { closeSync, fdatasyncSync, ftruncateSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { lockFile } from 'cgroup-utils-native';
import type { Logger } from '../log.js';
import type { JobIdentity } from '../spec/spec.js';
import { type Folder, openFolder, SPOOLED, UNFINISHED } from './folder.js';
import { encode, type MessageRecord } from './record.js';
import { type Bounds, createFile, makeRoom } from './room.js';

/**
 * The spool file of one box, from the moment that something was not confirmed until nothing is. Written with write(2)
 * as messages come, so that a SIGKILL of the wrapper loses nothing of it; locked, so that nobody else delivers it while
 * the wrapper lives. It appears whole: written beside, then renamed.
 */

export interface WriterOptions {
  readonly spoolDir: string;
  readonly bounds: Bounds;
  readonly identity: JobIdentity;
}

/** After it was written anew for want of room it has this part of its bound. */
const KEPT_PART = 0.75;
const CHUNK_CHARACTERS = 1024 * 1024;

export class SpoolWriter {
  readonly #options: WriterOptions;
  readonly #log: Logger;
  readonly #folder: Folder;
  readonly #name: string;
  /** Number of the first message that was to be kept. */
  readonly #from: number;
  /** What is not confirmed, oldest first, for when the file has to be written anew. */
  readonly #unconfirmed: () => readonly MessageRecord[];
  #fd = -1;
  #bytes = 0;
  #maxBytes = 0;
  #through: number;

  /** @throws EnvironmentError, or Error with `code`: nothing is kept then, and nothing is left behind */
  constructor(options: WriterOptions, unconfirmed: () => readonly MessageRecord[], log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#unconfirmed = unconfirmed;
    this.#name = `${options.identity.box}${SPOOLED}`;
    this.#from = unconfirmed()[0]?.n ?? 0;
    this.#through = this.#from - 1;
    this.#folder = openFolder(options.spoolDir, process.geteuid?.() ?? -1, true)!;
    try {
      this.#writeAnew(1);
    } catch (error) {
      this.#folder[Symbol.dispose]();
      throw error;
    }
  }

  get path(): string {
    return this.#folder.shown(this.#name);
  }

  /** @throws Error with `code`; the file is as before then */
  append(message: MessageRecord): void {
    const text = encode(message);
    if (this.#bytes + Buffer.byteLength(text) > this.#maxBytes) this.#writeAnew(KEPT_PART);
    else this.#write(text);
  }

  /** With everything that is not confirmed. @throws Error with `code`; the file is as before then */
  writeAnew(): void {
    this.#writeAnew(1);
  }

  /** Everything up to this number needs no keeping any more. @throws Error with `code` */
  done(through: number): void {
    if (through <= this.#through) return;
    this.#write(encode({ through }));
    this.#through = through;
  }

  /** Nothing is left to keep. */
  remove(): void {
    try {
      unlinkSync(this.#folder.at(this.#name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    } finally {
      this.#close();
    }
  }

  /** The file stays for whoever delivers it. */
  leave(): void {
    try {
      fdatasyncSync(this.#fd);
    } finally {
      this.#close();
    }
  }

  #close(): void {
    closeSync(this.#fd);
    this.#folder[Symbol.dispose]();
  }

  /** The newest that fit into that part of the bound. */
  #writeAnew(part: number): void {
    const { bounds, identity } = this.#options;
    const lines = this.#unconfirmed().map((message) => ({ n: message.n, text: encode(message) }));
    const wanted = lines.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    this.#maxBytes = makeRoom(this.#folder, bounds, wanted, this.#name, this.#log);
    let left = this.#maxBytes * part;
    let index = lines.length;
    for (; index > 0; index--) {
      left -= Buffer.byteLength(lines[index - 1]!.text);
      if (left < 0) break;
    }
    const kept = lines.slice(index);
    const first = kept[0]?.n ?? (lines.at(-1)?.n ?? this.#from) + 1;
    if (index > 0)
      this.#log.warn(`spool: no room for the oldest ${index} messages in ${this.path} (--spool-max-bytes)`);
    const head = encode({ spool: 1, identity, from: Math.max(this.#from, this.#through + 1), first });
    this.#install([head, ...kept.map(({ text }) => text)]);
  }

  #install(texts: readonly string[]): void {
    const temporary = `${this.#name}${UNFINISHED}`;
    const before = { fd: this.#fd, bytes: this.#bytes };
    this.#fd = createFile(this.#folder, temporary);
    this.#bytes = 0;
    try {
      if (!lockFile(this.#fd)) throw Object.assign(new Error(`${temporary} is in use`), { code: 'EBUSY' });
      for (const text of chunks(texts)) this.#write(text);
      renameSync(this.#folder.at(temporary), this.#folder.at(this.#name));
    } catch (error) {
      closeSync(this.#fd);
      this.#fd = before.fd;
      this.#bytes = before.bytes;
      removeQuietly(this.#folder.at(temporary));
      throw error;
    }
    if (before.fd !== -1) closeSync(before.fd);
  }

  /** All of it or nothing. */
  #write(text: string): void {
    const bytes = Buffer.from(text);
    let written = 0;
    try {
      while (written < bytes.length) {
        const count = writeSync(this.#fd, bytes, written);
        if (count === 0) throw Object.assign(new Error('write: nothing was taken'), { code: 'ENOSPC' });
        written += count;
      }
    } catch (error) {
      // Half a record would be taken for a damaged one.
      if (written > 0) ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
    this.#bytes += bytes.length;
  }
}

function* chunks(texts: readonly string[]): Generator<string> {
  let chunk = '';
  for (const text of texts) {
    chunk += text;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The reason why the file could not be written is told.
  }
}
