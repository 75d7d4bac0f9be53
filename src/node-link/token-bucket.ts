/** Lets so many things through at once, and then so many a second. */
export class TokenBucket {
  #tokens: number;
  #atMs: number;

  /**
   * @param perSec 0 means no limit
   * @param burst at least 1
   */
  constructor(
    readonly perSec: number,
    readonly burst: number,
    readonly nowMs: () => number = () => performance.now(),
  ) {
    this.#tokens = burst;
    this.#atMs = nowMs();
  }

  /** @returns whether one may pass now */
  take(): boolean {
    if (this.perSec === 0) return true;
    const nowMs = this.nowMs();
    this.#tokens = Math.min(this.burst, this.#tokens + ((nowMs - this.#atMs) * this.perSec) / 1000);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Time until the next one may pass, if `take` has just refused, in ms. */
  get waitMs(): number {
    return ((1 - this.#tokens) * 1000) / this.perSec;
  }
}
