/** How patient a link is, in ms. */
export interface LinkTimes {
  /** Longest time for an attempt after this many consecutive failures: to connect, and everything else up to `done`. */
  attemptMs(failures: number): number;
  /** Longest time from the open connection to `done`, if the attempt's own time does not cover that. */
  readonly readyMs?: number;
  /**
   * The longest wait after this many rounds over all hosts have failed.
   * @param slow retries will not help soon
   */
  waitMs(rounds: number, slow: boolean): number;
}

/** Once a broker is back, a link is up again within this cap plus the time to connect: under 2 s. */
const BACKOFF_CAP_MS = 1_500;
/** If someone has to act first (a wrong password, a missing permission), frequent attempts only load the broker. */
const HOPELESS_CAP_MS = 30_000;
/** An attempt on a silent address ends early, so that the next one soon finds a broker that is back. */
const ATTEMPT_MS = 2_000;
const LONG_ATTEMPT_MS = 10_000;
const LONG_ATTEMPT_EVERY = 4;
/** For a box with a link of its own, which should have a broker that is back within 2 s. */
export const BOX_TIMES: LinkTimes = {
  attemptMs: (failures) => ((failures + 1) % LONG_ATTEMPT_EVERY === 0 ? LONG_ATTEMPT_MS : ATTEMPT_MS),
  waitMs: (rounds, slow) => Math.min(slow ? HOPELESS_CAP_MS : BACKOFF_CAP_MS, 200 * 2 ** Math.min(rounds - 1, 10)),
};
