import type { Time } from './time.js';

/** Times periodic sampling with a single timer: a new interval replaces the old one. */
export interface Ticker {
  /** Ticks every `intervalMs` from now on; 0 turns the ticker off. */
  every(intervalMs: number): void;
  stop(): void;
  readonly intervalMs: number;
}

/**
 * Boxes of one process tick together where they can, so that it wakes up less often: a tick may be this late, or by this part of
 * its interval, whichever is shorter.
 */
const SHARED_MS = 50;
const SHARED_PART = 1 / 20;
/** Shorter intervals are kept to the millisecond. */
const SHARED_FROM_MS = 1_000;

/**
 * Ticks stay on their grid: a late tick does not delay the next ones, and ticks that were missed because the wrapper was
 * suspended are not made up for.
 */
export function createTicker({ createTimer, now }: Time, onTick: () => void): Ticker {
  let intervalMs = 0;
  let nextMs = 0;

  const arm = () => {
    if (intervalMs > 0) timer.start(Math.max(1, Math.ceil(shared(nextMs, intervalMs) - now())));
    else timer.stop();
  };
  const timer = createTimer(() => {
    const late = now() - nextMs;
    if (late >= 0) {
      nextMs += intervalMs * (Math.floor(late / intervalMs) + 1);
      onTick();
    }
    arm();
  });

  return {
    every(ms) {
      intervalMs = ms;
      nextMs = now() + ms;
      arm();
    },
    stop() {
      intervalMs = 0;
      timer.stop();
    },
    get intervalMs() {
      return intervalMs;
    },
  };
}

function shared(atMs: number, intervalMs: number): number {
  if (intervalMs < SHARED_FROM_MS) return atMs;
  const grid = Math.min(SHARED_MS, intervalMs * SHARED_PART);
  return Math.ceil(atMs / grid) * grid;
}
