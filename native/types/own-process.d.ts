/** This process: its log, timers, signals and end, and the front end as its parent. */

/**
 * Text for a descriptor that may block without limit. `write` returns at once. A thread, which lives only while there is
 * text to write, calls write(2) in order. Up to 256 KiB wait; texts that do not fit are lost, and a line reports how many
 * once the reader is back. `exitNow`, `dieOf`, `redirectStderr` and the end of Node wait up to a second for the rest, or less
 * if the reader has made no progress for a while.
 */
export class Outlet {
  /** @param fd now belongs to the outlet, which closes it after `close` and the last write */
  constructor(fd: number);
  write(text: string): void;
  close(): void;
}
/** `Outlet.write` for stderr. */
export function writeStderr(text: string): void;

/**
 * Calls `onFire` once on the event loop, `ms` after the last `start`, unless `stop` is called before. Node's own timers are
 * compiled at their first use, which takes a millisecond of each launch. These also have no bound of 2^31 ms.
 * @param background does not keep the event loop alive. @default false
 */
export class Timer {
  constructor(onFire: () => void, background?: boolean);
  /** Restarts a timer that is running. @param ms from now; a whole number */
  start(ms: number): void;
  stop(): void;
  /** The timer will fire. */
  readonly active: boolean;
}

/**
 * How long this process has been stopped (SIGSTOP) or frozen, exact to 50 ms: native/src/proc/suspension.h. A blocked event
 * loop or a loaded machine does not count as suspension. Does not keep the event loop alive.
 */
export class SuspensionWatch {
  /** @param onSuspended called on the event loop after each suspension */
  constructor(onSuspended: () => void);
  /** Total since the watch was made, ms, up to now. */
  suspendedMs(): number;
  /** Stops the calls of `onSuspended`. The watching thread ends with its last user. */
  close(): void;
}

/**
 * Sets PR_SET_DUMPABLE of prctl(2) to 0 for this process, and ignores SIGTTOU: with `stty tostop`, a log line must not stop
 * this process while the job has the terminal's foreground.
 */
export function protectSelf(): void;
/** Points stdin and stdout of this process to /dev/null, so that only the job keeps the original ends open. */
export function releaseStdio(): void;
/** Makes `fd` the new stderr, and closes `fd`. Text written before goes to the old stderr: see `Outlet`. */
export function redirectStderr(fd: number): void;
/** A signal that the front end has received, and its sender. */
export interface SignalDelivery {
  readonly signal: number;
  /** The sender's; 0 for the kernel, and for a sender outside our pid namespace. */
  readonly pid: number;
  readonly uid: number;
  /** CLOCK_MONOTONIC, ms: when the front end received it, even if JavaScript was busy. */
  readonly atMs: number;
  /** The job has it already: the front end passed it on while there was no agent. @default false */
  readonly reached?: boolean;
}

/**
 * Takes over HUP, INT, QUIT, TERM, USR1, USR2, WINCH, TSTP and CONT from Node, process-wide. Does not keep the event loop
 * alive. Returns a function that delivers at once the signals that have arrived so far.
 */
export function watchSignals(onSignal: (delivery: SignalDelivery) => void): () => void;
/** By then (monotonic, ms) the keeper must have killed the box; 3 s later the front end kills it itself. 0: no bound. */
export function boundEnd(atMs: number): void;
/** The front end also keeps this file open until it ends, and with it a lock on the file. */
export function holdOpen(fd: number): void;
/** How long this process may need after the job has ended; 30 s later the front end ends without it. */
export function flushPatience(ms: number): void;
/** _exit(2): runs no atexit handlers and leaves the terminal as the job has set it. The front end exits with the same code. */
export function exitNow(code: number): never;
/** Ends this process. The front end then dies of `signal` by its default action, without a core file of its own. */
export function dieOf(signal: number): never;
/** kill(0, SIGSTOP): stops our process group, as the shell expects after ^Z. False if no shell could resume it. */
export function stopOwnGroup(): boolean;
/** CLOCK_MONOTONIC, ms: the clock of `atMs`. */
export function monotonicMs(): number;
