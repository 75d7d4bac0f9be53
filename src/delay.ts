/** Node turns a wait that is longer than this (24.8 days) into one of 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** A pending wait. */
export interface Delay {
  cancel(): void;
}

/**
 * Calls `onOver` once after a wait of any length. Use it for any wait that is not a constant: users, sites and schedulers may
 * ask for months, or Infinity.
 * @param background the wait does not keep the process alive. @default false
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
