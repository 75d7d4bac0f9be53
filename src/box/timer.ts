import type { TimerStatus } from '../model/sample.js';
import type { SavedClock } from './saved.js';
import type { HoldWatch, Time } from './time.js';

/**
 * The wall clock limit. A timer fires at the moment when the limit runs out; nothing polls. Time during which the box was
 * suspended, or the scheduler had suspended the wrapper itself, does not count.
 */
export interface WallClock {
  /** Starts the clock from zero. @param atMs the moment of the start, CLOCK_MONOTONIC */
  start(atMs: number): void;
  /** Stops the clock and keeps the elapsed time. */
  stop(): void;
  /** Starts the clock again without resetting it. */
  resume(): void;
  /** Sets the elapsed time to zero and stops the clock. */
  reset(): void;
  /** The box was suspended (true) or resumed (false); independent of `stop` and `resume`. */
  hold(held: boolean): void;
  /** Sets a new limit; 0 means no limit. */
  limit(limitMs: number): void;
  /** Subtracts a suspension of the wrapper itself if the kernel reports one. Called on SIGCONT, too. */
  noticeGap(): void;
  /** The job has ended: the clock stops for good. @param atMs the moment of the end, CLOCK_MONOTONIC */
  close(atMs: number): void;
  /** For another process that goes on with the clock. */
  save(): SavedClock;
  /** Goes on with the clock of another process. */
  restore(saved: SavedClock): void;
  readonly limitMs: number;
  /** Time during which the box was suspended. */
  readonly suspendedMs: number;
  status(): TimerStatus;
}

/** An action at a moment before the limit: once, until the limit changes or the clock restarts from zero. */
export interface Mark {
  /** Returns the moment as elapsed time. */
  readonly atMs: (limitMs: number) => number;
  readonly onReached: (atMs: number) => void;
  /** True if a change of the limit repeats the action even if its new moment has already passed. */
  readonly again: boolean;
}

export interface WallClockOptions {
  readonly limitMs: number;
  readonly time: Time;
  readonly onExpired: () => void;
  /** Called at each change with the time when the limit will run out (CLOCK_MONOTONIC); 0 if it will not as things are. */
  readonly onArmed?: (atMs: number) => void;
  /** Actions before the limit is reached. */
  readonly marks?: readonly Mark[];
  /** Called when the wrapper was suspended for `gapMs`. */
  readonly onGap?: (gapMs: number) => void;
}

export function createWallClock(options: WallClockOptions): WallClock {
  return new TimerClock(options);
}

class TimerClock implements WallClock {
  readonly #options: WallClockOptions;
  readonly #now: () => number;
  readonly #timer: ReturnType<Time['createTimer']>;
  readonly #marks: readonly Mark[];
  readonly #reached = new Set<Mark>();
  #limitMs: number;
  #on = false;
  #held = false;
  #closed = false;
  /** Time elapsed until `#since`. */
  #elapsedMs = 0;
  #since: number;
  #suspendedMs = 0;
  #heldSince = 0;
  #watch: HoldWatch | undefined;
  /** Holds that are already taken into account. */
  #seenMs = 0;

  constructor(options: WallClockOptions) {
    this.#options = options;
    this.#now = options.time.now;
    this.#marks = options.marks ?? [];
    this.#limitMs = options.limitMs;
    this.#since = this.#now();
    this.#timer = options.time.createTimer(() => this.#fire());
  }

  start(atMs: number): void {
    this.#watch ??= this.#options.time.watchSuspension(() => this.noticeGap());
    this.noticeGap();
    this.#on = true;
    this.#elapsedMs = 0;
    this.#since = atMs;
    this.#reached.clear();
    this.#arm();
  }

  stop(): void {
    this.#change(() => {
      this.#on = false;
    });
  }

  resume(): void {
    this.#change(() => {
      this.#on = true;
    });
  }

  reset(): void {
    this.#change(() => {
      this.#on = false;
      this.#elapsedMs = 0;
      this.#reached.clear();
    });
  }

  hold(held: boolean): void {
    this.#change(() => {
      if (held && !this.#held) this.#heldSince = this.#now();
      if (!held && this.#held) this.#suspendedMs += this.#now() - this.#heldSince;
      this.#held = held;
    });
  }

  limit(limitMs: number): void {
    this.#change(() => {
      this.#limitMs = limitMs;
      for (const mark of this.#reached)
        if (mark.again || mark.atMs(limitMs) > this.#elapsed()) this.#reached.delete(mark);
    });
  }

  noticeGap(): void {
    const gapMs = (this.#watch?.suspendedMs() ?? 0) - this.#seenMs;
    this.#seenMs += gapMs;
    // While the box is suspended, its clock stands still anyway.
    if (gapMs <= 0 || this.#held || this.#closed) return;
    this.#suspendedMs += gapMs;
    if (this.#running()) {
      this.#elapsedMs = Math.max(0, this.#elapsed() - gapMs);
      this.#since = this.#now();
      this.#arm();
    }
    this.#options.onGap?.(gapMs);
  }

  close(atMs: number): void {
    if (this.#closed) return;
    this.noticeGap();
    if (this.#running()) this.#elapsedMs += Math.max(0, atMs - this.#since);
    if (this.#held) this.#suspendedMs += this.#now() - this.#heldSince;
    this.#held = false;
    this.#closed = true;
    this.#timer.stop();
    this.#watch?.close();
  }

  save(): SavedClock {
    return {
      on: this.#on,
      held: this.#held,
      elapsedMs: this.#elapsed(),
      atMs: this.#now(),
      suspendedMs: this.suspendedMs,
      seenMs: this.#seenMs,
      limitMs: this.#limitMs,
      reached: this.#marks.flatMap((mark, index) => (this.#reached.has(mark) ? [index] : [])),
    };
  }

  restore(saved: SavedClock): void {
    this.#watch ??= this.#options.time.watchSuspension(() => this.noticeGap());
    this.#on = saved.on;
    this.#held = saved.held;
    this.#elapsedMs = saved.elapsedMs;
    this.#since = this.#heldSince = saved.atMs;
    this.#suspendedMs = saved.suspendedMs;
    this.#seenMs = saved.seenMs ?? 0;
    this.#limitMs = saved.limitMs;
    for (const index of saved.reached) if (this.#marks[index] !== undefined) this.#reached.add(this.#marks[index]);
    this.#arm();
  }

  get limitMs(): number {
    return this.#limitMs;
  }

  get suspendedMs(): number {
    return this.#suspendedMs + (this.#held ? this.#now() - this.#heldSince : 0);
  }

  status(): TimerStatus {
    const elapsed = Math.round(this.#elapsed());
    const limit = this.#limitMs === 0 ? null : Math.round(this.#limitMs);
    return {
      running: this.#running(),
      elapsed_ms: elapsed,
      remaining_ms: limit === null ? null : Math.max(0, limit - elapsed),
      limit_ms: limit,
    };
  }

  #running(): boolean {
    return this.#on && !this.#held && !this.#closed;
  }

  #elapsed(): number {
    return this.#elapsedMs + (this.#running() ? this.#now() - this.#since : 0);
  }

  /** Saves the elapsed time before a change of `#on`, `#held` or the limit, and sets the timer anew after it. */
  #change(apply: () => void): void {
    this.noticeGap();
    this.#elapsedMs = this.#elapsed();
    this.#since = this.#now();
    apply();
    this.#arm();
  }

  #arm(): void {
    const limitMs = this.#limitMs;
    this.#timer.stop();
    const armed = this.#running() && limitMs !== 0;
    this.#options.onArmed?.(armed ? this.#now() + Math.max(0, limitMs - this.#elapsed()) : 0);
    if (!armed) return;
    const moments = this.#marks.filter((mark) => !this.#reached.has(mark)).map((mark) => mark.atMs(limitMs));
    this.#timer.start(Math.max(0, Math.ceil(Math.min(limitMs, ...moments) - this.#elapsed())));
  }

  #fire(): void {
    const upToDate = this.#watch?.upToDate?.();
    if (upToDate === undefined) this.#due();
    else void upToDate.then(() => this.#due());
  }

  #due(): void {
    this.noticeGap();
    if (!this.#running() || this.#limitMs === 0) return;
    this.#passMarks();
    // The timer counts whole milliseconds and may fire a little early.
    if (this.#elapsed() < this.#limitMs) return this.#arm();
    this.#options.onExpired();
  }

  #passMarks(): void {
    for (const mark of this.#marks) {
      const atMs = mark.atMs(this.#limitMs);
      if (this.#reached.has(mark) || this.#elapsed() < atMs) continue;
      this.#reached.add(mark);
      mark.onReached(atMs);
    }
  }
}
