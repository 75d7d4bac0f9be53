/** A link without a confirm for this long is replaced, even if its heartbeat works. */
const STUCK_MS = 10_000;

/**
 * Counts for how long, and in how many attempts, one message has been tried on links that were up and not blocked. It
 * also tells when it is no longer worth waiting for a confirm on the present link.
 */
export class ConfirmTimer {
  readonly #messageTimeoutMs: number;
  readonly #onOver: () => void;
  readonly #nowMs: () => number;
  readonly #stuckMs: number;
  #timer: NodeJS.Timeout | null = null;
  #startedAtMs = 0;
  #triedMs = 0;
  #attempts = 0;

  /**
   * @param messageTimeoutMs after which a message is given up; 0 for never
   * @param onOver called after `stuckMs` without a confirm, or after `messageTimeoutMs` if that is shorter
   */
  constructor(messageTimeoutMs: number, onOver: () => void, nowMs: () => number, stuckMs = STUCK_MS) {
    this.#messageTimeoutMs = messageTimeoutMs;
    this.#onOver = onOver;
    this.#nowMs = nowMs;
    this.#stuckMs = stuckMs;
  }

  /** Whether the message's time is over. It never is in the first attempt, so that a silent outage loses nothing. */
  get expired(): boolean {
    return this.#messageTimeoutMs !== 0 && this.#attempts > 1 && this.#triedMs >= this.#messageTimeoutMs;
  }

  /** Starts again with another message. @param attempts how often it has been sent already */
  renew(attempts: number): void {
    this.stop();
    this.#triedMs = 0;
    this.#attempts = attempts;
  }

  attempted(): void {
    this.#attempts++;
  }

  /** The message is in flight, on a link that takes messages. */
  start(): void {
    this.#startedAtMs = this.#nowMs();
    const ms =
      this.#messageTimeoutMs === 0 ? this.#stuckMs : Math.max(1, Math.min(this.#stuckMs, this.#messageTimeoutMs));
    this.#timer = setTimeout(() => {
      this.stop();
      this.#onOver();
    }, ms).unref();
  }

  stop(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.tried(this.#nowMs() - this.#startedAtMs);
  }

  tried(ms: number): void {
    this.#triedMs += ms;
  }
}
