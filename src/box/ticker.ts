/** Periodic sampling with one timer: a new rate replaces the old one. */
export interface Ticker {
  /** From now on every so many ms; 0 turns it off. */
  every(intervalMs: number): void;
  stop(): void;
  readonly intervalMs: number;
}

const SLEEP_MAX_MS = 2 ** 31 - 1;

/**
 * Ticks stay on their grid: a late one does not delay those after it, and ticks that were missed (the wrapper was
 * suspended) are not made up for.
 * @param now CLOCK_MONOTONIC, ms
 */
export function createTicker(now: () => number, onTick: () => void): Ticker {
  let intervalMs = 0;
  let nextMs = 0;
  let timer: NodeJS.Timeout | undefined;

  const arm = () => {
    clearTimeout(timer);
    if (intervalMs > 0) timer = setTimeout(fire, Math.min(SLEEP_MAX_MS, Math.max(1, Math.ceil(nextMs - now()))));
  };
  const fire = () => {
    const late = now() - nextMs;
    if (late >= 0) {
      nextMs += intervalMs * (Math.floor(late / intervalMs) + 1);
      onTick();
    }
    arm();
  };

  return {
    every(ms) {
      intervalMs = ms;
      nextMs = now() + ms;
      arm();
    },
    stop() {
      intervalMs = 0;
      clearTimeout(timer);
    },
    get intervalMs() {
      return intervalMs;
    },
  };
}
