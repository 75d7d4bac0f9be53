import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { isatty, ReadStream, type WriteStream } from 'node:tty';
import { SpecError } from '../../errors.js';
import type { Size } from './screen.js';

/**
 * The controlling terminal. stdin may be anything, and stdout shares its file description with the shell, so keys and frames
 * each have a descriptor of their own.
 */

const TTY = '/dev/tty';
const STDOUT = 1;
const AGAIN_MS = 20;
/** For the last words to a terminal that is stopped or slow. */
const LAST_WORDS_MS = 500;
/** A terminal that does not tell its size. */
const USUAL: Size = { columns: 80, rows: 24 };
/** CAN ends an escape sequence that was cut off. */
const CANCEL = '\x18';

export function isTerminal(): boolean {
  return isatty(STDOUT);
}

/** Never blocks: a terminal that does not read must not stop the link to the broker. */
export class TtyOutput {
  readonly #fd = openTty(constants.O_WRONLY | constants.O_NONBLOCK);
  readonly #onFree: () => void;
  #rest: Buffer = Buffer.alloc(0);
  #retry: NodeJS.Timeout | undefined;

  /** @param onFree called once a terminal that was busy has taken everything */
  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  /** The terminal has not taken everything yet: write nothing more. */
  get busy(): boolean {
    return this.#rest.length > 0;
  }

  write(text: string): void {
    this.#rest = Buffer.concat([this.#rest, Buffer.from(text)]);
    if (this.#retry === undefined) this.#push();
  }

  /** Drops what is still waiting, and writes this. Waits for the terminal, but not for long. */
  writeLast(text: string): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const cutOff = this.#rest.length > 0;
    this.#rest = Buffer.from((cutOff ? CANCEL : '') + text);
    const until = performance.now() + LAST_WORDS_MS;
    while (!this.#pushed() && performance.now() < until) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
    this.#rest = Buffer.alloc(0);
  }

  close(): void {
    clearTimeout(this.#retry);
    closeSync(this.#fd);
  }

  #push(): void {
    this.#retry = undefined;
    if (!this.#pushed()) this.#retry = setTimeout(() => this.#retried(), AGAIN_MS);
  }

  #retried(): void {
    this.#push();
    if (!this.busy) this.#onFree();
  }

  /** @returns whether nothing waits any more */
  #pushed(): boolean {
    try {
      while (this.#rest.length > 0) this.#rest = this.#rest.subarray(writeSync(this.#fd, this.#rest));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
      this.#rest = Buffer.alloc(0); // EIO: the terminal has gone; SIGHUP follows
      return true;
    }
  }
}

export function openKeyboard(): ReadStream {
  return new ReadStream(openTty(constants.O_RDONLY));
}

/** Node asks for the size of stdout, and of no other stream, again when it has changed (SIGWINCH). */
export function sizeOf({ columns, rows }: Pick<WriteStream, 'columns' | 'rows'>): Size {
  return columns > 0 && rows > 0 ? { columns, rows } : USUAL;
}

/** @throws SpecError if this process has no terminal, or runs in its background */
export function requireForeground(): void {
  closeSync(openTty(constants.O_RDONLY));
  if (isInForeground()) return;
  throw new SpecError(
    'it runs in the background, where it may not use the terminal; use --once to print the table once',
  );
}

/** @param stat proc_pid_stat(5): pgrp and tpgid come after the state and the parent */
export function isInForeground(stat = readFileSync('/proc/self/stat', 'latin1')): boolean {
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}

/** @throws SpecError */
function openTty(flags: number): number {
  try {
    return openSync(TTY, flags | constants.O_NOCTTY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SpecError(`open ${TTY}: ${code}: no terminal for keys and screen; use --once to print the table once`);
  }
}
