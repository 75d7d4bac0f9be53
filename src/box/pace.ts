/**
 * Says when to look next at memory that only sampling holds: the less is left below the limit, and the faster the box grows, the
 * sooner. Looks that come closer together as the limit comes nearer see a job pass it that lives for a few tens of milliseconds.
 */
export interface Pace {
  /**
   * @param usedBytes what the last look has seen
   * @param nowMs CLOCK_MONOTONIC
   * @returns ms until the next look
   */
  next(usedBytes: number, limitBytes: number, nowMs: number): number;
}

/** The longest time between two looks. */
export const PERIOD_MS = 200;
const SOONEST_MS = 20;
/** What one process can fill, in bytes per ms: twice as much as we have measured. */
const FASTEST = 4 * 2 ** 20;
/** A box may grow at full speed at any moment while it is this young: most short jobs are over by then. */
const YOUTH_MS = 1_000;
const SOONEST_IN_YOUTH_MS = 4;
/** Expect this much more than what the box has grown by. Twice as much: the next process may help it. */
const HEADROOM = 2;
/** How much less growth to expect after each look at an older box that did not grow. */
const DECAY = 0.5;

/** @param bornMs CLOCK_MONOTONIC, when the job started or got the limit */
export function createPace(bornMs: number): Pace {
  let expected = FASTEST;
  let last: { readonly bytes: number; readonly atMs: number } | undefined;
  return {
    next(usedBytes, limitBytes, nowMs) {
      const grown = last === undefined ? FASTEST : (usedBytes - last.bytes) / Math.max(1, nowMs - last.atMs);
      last = { bytes: usedBytes, atMs: nowMs };
      const young = nowMs - bornMs < YOUTH_MS;
      expected = young ? FASTEST : Math.min(FASTEST, Math.max(grown * HEADROOM, expected * DECAY));
      const soonest = young ? SOONEST_IN_YOUTH_MS : SOONEST_MS;
      return Math.min(PERIOD_MS, Math.max(soonest, (limitBytes - usedBytes) / expected));
    },
  };
}
