import type { TimerStatus } from '../model/sample.js';
import type { Time } from './time.js';

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
  const { createTimer, now } = options.time;
  const marks = options.marks ?? [];
  const reached = new Set<Mark>();
  let limitMs = options.limitMs;
  let on = false;
  let held = false;
  let closed = false;
  /** Time elapsed until `since`. */
  let elapsedMs = 0;
  let since = now();
  let suspendedMs = 0;
  let heldSince = 0;
  let watch: ReturnType<Time['watchSuspension']> | undefined;
  /** Suspension of this process that is already taken into account. */
  let seenMs = 0;

  const running = () => on && !held && !closed;
  const elapsed = () => elapsedMs + (running() ? now() - since : 0);
  /** Saves the elapsed time. Each change of `on` or `held` happens between settle() and arm(). */
  const settle = () => {
    elapsedMs = elapsed();
    since = now();
  };
  const arm = () => {
    timer.stop();
    const armed = running() && limitMs !== 0;
    options.onArmed?.(armed ? now() + Math.max(0, limitMs - elapsed()) : 0);
    if (!armed) return;
    const moments = marks.filter((mark) => !reached.has(mark)).map((mark) => mark.atMs(limitMs));
    timer.start(Math.max(0, Math.ceil(Math.min(limitMs, ...moments) - elapsed())));
  };
  const passMarks = () => {
    for (const mark of marks) {
      const atMs = mark.atMs(limitMs);
      if (reached.has(mark) || elapsed() < atMs) continue;
      reached.add(mark);
      mark.onReached(atMs);
    }
  };
  const forgetMarks = (newLimitMs: number) => {
    for (const mark of reached) if (mark.again || mark.atMs(newLimitMs) > elapsed()) reached.delete(mark);
  };
  const fire = () => {
    noticeGap();
    if (!running() || limitMs === 0) return;
    passMarks();
    // The timer counts whole milliseconds and may fire a little early.
    if (elapsed() < limitMs) return arm();
    options.onExpired();
  };
  const noticeGap = () => {
    const gapMs = (watch?.suspendedMs() ?? 0) - seenMs;
    seenMs += gapMs;
    // While the box is suspended, its clock stands still anyway.
    if (gapMs <= 0 || held || closed) return;
    suspendedMs += gapMs;
    if (running()) {
      elapsedMs = Math.max(0, elapsed() - gapMs);
      since = now();
      arm();
    }
    options.onGap?.(gapMs);
  };
  const change = (apply: () => void) => {
    noticeGap();
    settle();
    apply();
    arm();
  };

  const timer = createTimer(fire);

  return {
    start(atMs) {
      watch ??= options.time.watchSuspension(noticeGap);
      noticeGap();
      on = true;
      elapsedMs = 0;
      since = atMs;
      reached.clear();
      arm();
    },
    stop: () => change(() => (on = false)),
    resume: () => change(() => (on = true)),
    reset: () =>
      change(() => {
        on = false;
        elapsedMs = 0;
        reached.clear();
      }),
    hold: (hold) =>
      change(() => {
        if (hold && !held) heldSince = now();
        if (!hold && held) suspendedMs += now() - heldSince;
        held = hold;
      }),
    limit: (ms) =>
      change(() => {
        limitMs = ms;
        forgetMarks(ms);
      }),
    noticeGap,
    close(atMs) {
      if (closed) return;
      noticeGap();
      if (running()) elapsedMs += Math.max(0, atMs - since);
      if (held) suspendedMs += now() - heldSince;
      held = false;
      closed = true;
      timer.stop();
      watch?.close();
    },
    get limitMs() {
      return limitMs;
    },
    get suspendedMs() {
      return suspendedMs + (held ? now() - heldSince : 0);
    },
    status() {
      const elapsedNow = Math.round(elapsed());
      return {
        running: running(),
        elapsed_ms: elapsedNow,
        remaining_ms: limitMs === 0 ? null : Math.max(0, Math.round(limitMs) - elapsedNow),
        limit_ms: limitMs === 0 ? null : Math.round(limitMs),
      };
    },
  };
}
