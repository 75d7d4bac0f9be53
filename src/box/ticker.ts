import type { Time } from './time.js';

/** Periodic sampling with one timer: a new rate replaces the old one. */
export interface Ticker {
  /** From now on every so many ms; 0 turns it off. */
  every(intervalMs: number): void;
  stop(): void;
  readonly intervalMs: number;
}

/**
 * Ticks stay on their grid: a late one does not delay those after it, and ticks that were missed (the wrapper was
 * suspended) are not made up for.
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
