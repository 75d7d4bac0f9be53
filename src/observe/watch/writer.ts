import { write } from 'node:fs';

/**
 * Writes lines to a descriptor whose reader may be slow: in libuv's threads, so that the link to the broker lives on. What is
 * written together is told together.
 */

const AGAIN_MS = 10;

export type WriteEnd = 'reader has gone' | { readonly failed: string };

export class LineWriter {
  readonly #fd: number;
  readonly #onEnd: (end: WriteEnd) => void;
  #waiting: { text: string; done: () => void }[] = [];
  #writing = false;
  #ended = false;
  #idle: (() => void)[] = [];

  /** @param onEnd called once if nothing more can be written */
  constructor(fd: number, onEnd: (end: WriteEnd) => void) {
    this.#fd = fd;
    this.#onEnd = onEnd;
  }

  /** @param done called once the text has been written */
  write(text: string, done: () => void = () => {}): void {
    if (this.#ended) return;
    this.#waiting.push({ text, done });
    if (!this.#writing) this.#next();
  }

  /** Resolves once everything has been written, or nothing can be. */
  flush(): Promise<void> {
    if (!this.#writing || this.#ended) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#writing = batch.length > 0;
    if (!this.#writing) return this.#rest();
    const bytes = Buffer.from(batch.map(({ text }) => text).join(''));
    this.#push(bytes, () => {
      for (const { done } of batch) done();
      this.#next();
    });
  }

  #push(bytes: Buffer, done: () => void): void {
    write(this.#fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') setTimeout(() => this.#push(bytes, done), AGAIN_MS);
      else if (error !== null) this.#end(error);
      else if (written < bytes.length) this.#push(bytes.subarray(written), done);
      else done();
    });
  }

  #end({ code }: NodeJS.ErrnoException): void {
    this.#ended = true;
    this.#waiting = [];
    this.#rest();
    this.#onEnd(code === 'EPIPE' ? 'reader has gone' : { failed: code ?? 'unknown error' });
  }

  #rest(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
