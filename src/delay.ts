/** Node makes a wait that is longer than this, 24.8 days, one of 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** A wait that has begun. */
export interface Delay {
  /** It no longer happens. */
  cancel(): void;
}

/**
 * Calls `onOver` once after a wait of any length, where a constant does not say how long it is: what users, sites and
 * schedulers give may be months, or Infinity.
 * @param background does not keep the process alive. @default false
 */
export function after(ms: number, onOver: () => void, background = false): Delay {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number) => {
    const over = leftMs <= LONGEST_MS ? onOver : () => wait(leftMs - LONGEST_MS);
    timer = setTimeout(over, Math.max(0, Math.min(leftMs, LONGEST_MS)));
    if (background) timer.unref();
  };
  wait(ms);
  return { cancel: () => clearTimeout(timer) };
}
