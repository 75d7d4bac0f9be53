import type { TimerStatus } from '../model/sample.js';
import type { Time } from './time.js';

/**
 * The wall clock limit: armed for the moment it runs out, not polled. Time in which the box, or by the scheduler the
 * wrapper itself, was suspended does not count.
 */
export interface WallClock {
  /** From zero, on. @param atMs monotonic ms */
  start(atMs: number): void;
  /** Off, elapsed time stays. */
  stop(): void;
  /** On again, without resetting. */
  resume(): void;
  /** Elapsed time to zero, and off. */
  reset(): void;
  /** The box was suspended (true) or resumed (false); independent of `stop` and `resume`. */
  hold(held: boolean): void;
  /** New limit in ms; 0 means none. */
  limit(limitMs: number): void;
  /** Takes out a suspension of the wrapper itself, where the kernel tells of one; called on SIGCONT too. */
  noticeGap(): void;
  /** The job's end: nothing fires any more. @param atMs monotonic ms */
  close(atMs: number): void;
  readonly limitMs: number;
  /** Time in which the box was suspended, ms. */
  readonly suspendedMs: number;
  status(): TimerStatus;
}

/** Something to do before the limit is reached; once, until the limit changes or the clock begins from zero. */
export interface Mark {
  /** In elapsed time. */
  readonly atMs: (limitMs: number) => number;
  readonly onReached: (atMs: number) => void;
  /** Where the limit changes and this moment of the new one is over: again all the same. */
  readonly again: boolean;
}

export interface WallClockOptions {
  readonly limitMs: number;
  readonly time: Time;
  readonly onExpired: () => void;
  /** When it runs out, monotonic ms, at each change; 0: not as things are. */
  readonly onArmed?: (atMs: number) => void;
  /** Moments before the limit. */
  readonly marks?: readonly Mark[];
  /** The wrapper was suspended for so many ms. */
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
  /** Elapsed until `since`. */
  let elapsedMs = 0;
  let since = now();
  let suspendedMs = 0;
  let heldSince = 0;
  let watch: ReturnType<Time['watchSuspension']> | undefined;
  /** Of this process, as far as it is reckoned with. */
  let seenMs = 0;

  const running = () => on && !held && !closed;
  const elapsed = () => elapsedMs + (running() ? now() - since : 0);
  /** Fixes what has elapsed; every change of `on` or `held` stands between settle and arm. */
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
    // The loop's clock has whole milliseconds.
    if (elapsed() < limitMs) return arm();
    options.onExpired();
  };
  const noticeGap = () => {
    const gapMs = (watch?.suspendedMs() ?? 0) - seenMs;
    seenMs += gapMs;
    // A suspended box counts its time already.
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
