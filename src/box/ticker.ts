import type { Time } from './time.js';

/** Times periodic sampling with a single timer: a new interval replaces the old one. */
export interface Ticker {
  /** Ticks every `intervalMs` from now on; 0 turns the ticker off. */
  every(intervalMs: number): void;
  stop(): void;
  readonly intervalMs: number;
}

/**
 * Ticks stay on their grid: a late tick does not delay the next ones, and ticks that were missed because the wrapper was
 * suspended are not made up for.
 */
export function createTicker({ createTimer, now }: Time, onTick: () => void): Ticker {
  let intervalMs = 0;
  let nextMs = 0;

  const arm = () => {
    if (intervalMs > 0) timer.start(Math.max(1, Math.ceil(nextMs - now())));
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
