import type { ReadStream } from 'node:tty';
import { dieOf, stopOwnGroup } from 'cgroup-utils-native';
import { type Key, KeyReader } from './keys.js';
import { ENTER, LEAVE, Screen, type Size } from './screen.js';
import { isInForeground, openKeyboard, requireForeground, sizeOf, TtyOutput } from './tty.js';

/**
 * The terminal as a full screen with a keyboard. Whatever ends this process, the terminal gets back its own screen, cursor
 * and modes: `close` on return, a listener on an uncaught error, one on each signal; if Node itself dies, the front end does it
 * (native/src/front/terminal.cc). ^Z gives the terminal back until the shell continues us.
 */

/** After ESC, the rest of a cursor key comes at once, also over a slow line. */
const ESCAPE_MS = 60;
/** Their numbers; signal(7). */
const ENDING = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;

export interface TerminalEvents {
  onKey(key: Key): void;
  /** The screen has another size, or has to be drawn anew. */
  onResize(): void;
}

export class Terminal {
  readonly #input: ReadStream;
  readonly #output: TtyOutput;
  readonly #keys = new KeyReader();
  readonly #screen = new Screen();
  readonly #events: TerminalEvents;
  readonly #undo: (() => void)[] = [];
  #escape: NodeJS.Timeout | undefined;
  /** The newest frame, while a slow terminal is still busy with an older one. */
  #wanted: readonly string[] | undefined;
  #entered = false;

  /** @throws SpecError if there is no terminal to use, or somebody else uses it */
  constructor(events: TerminalEvents) {
    requireForeground();
    this.#events = events;
    this.#output = new TtyOutput(() => this.#flush());
    this.#input = openKeyboard();
    this.#input.on('data', (bytes: Buffer) => this.#typed(bytes));
    this.#input.on('error', () => {}); // EIO: the terminal has gone; SIGHUP follows
    this.#listen();
    this.#enter();
  }

  get size(): Size {
    return sizeOf(process.stdout);
  }

  show(lines: readonly string[]): void {
    this.#wanted = lines;
    this.#flush();
  }

  /** Gives the terminal back until the shell continues us. Without such a shell it goes on at once. */
  suspend(): void {
    this.#leave();
    stopOwnGroup();
    this.#return();
  }

  /** Draws everything anew, because something else has written to the screen. */
  redraw(): void {
    this.#screen.forget();
    this.#events.onResize();
  }

  close(): void {
    this.#leave();
    clearTimeout(this.#escape);
    for (const undo of this.#undo.splice(0)) undo();
    this.#input.destroy();
    this.#output.close();
  }

  #listen(): void {
    const on = (emitter: NodeJS.EventEmitter, event: string, listener: () => void) => {
      emitter.prependListener(event, listener);
      this.#undo.push(() => emitter.removeListener(event, listener));
    };
    for (const [signal, number] of Object.entries(ENDING)) {
      on(process, signal, () => {
        this.#leave();
        dieOf(number);
      });
    }
    on(process, 'uncaughtException', () => this.#leave());
    on(process, 'SIGTSTP', () => this.suspend());
    on(process, 'SIGCONT', () => this.#return());
    on(process.stdout, 'resize', () => this.redraw());
  }

  /** Takes the terminal again. After `bg` it belongs to somebody else, so we stop, as a program does that writes there. */
  #return(): void {
    if (!isInForeground()) return void stopOwnGroup();
    this.#entered = false;
    this.#enter();
    this.redraw();
  }

  #enter(): void {
    if (this.#entered) return;
    this.#entered = true;
    // The shell may have changed the mode in the meantime, and libuv sets only what it believes to be different.
    this.#input.setRawMode(false);
    this.#input.setRawMode(true);
    this.#output.write(ENTER);
  }

  #leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#wanted = undefined;
    this.#output.writeLast(LEAVE);
    try {
      this.#input.setRawMode(false);
    } catch {
      // EIO: the terminal has gone.
    }
  }

  #flush(): void {
    if (this.#output.busy || this.#wanted === undefined || !this.#entered) return;
    const text = this.#screen.frame(this.#wanted, this.size);
    this.#wanted = undefined;
    if (text !== '') this.#output.write(text);
  }

  #typed(bytes: Buffer): void {
    clearTimeout(this.#escape);
    for (const key of this.#keys.read(bytes)) this.#events.onKey(key);
    if (!this.#keys.waits) return;
    this.#escape = setTimeout(() => {
      for (const key of this.#keys.flush()) this.#events.onKey(key);
    }, ESCAPE_MS);
  }
}
