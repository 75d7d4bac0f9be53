/** A link on which nothing is confirmed for so long is replaced, whatever its heartbeat says. */
const STUCK_MS = 10_000;

/**
 * How long one message has been tried on links that were up and not blocked, and in how many attempts; and the moment at
 * which waiting for its confirm has no use any more.
 */
export class ConfirmTimer {
  readonly #messageTimeoutMs: number;
  readonly #onOver: () => void;
  readonly #nowMs: () => number;
  #timer: NodeJS.Timeout | null = null;
  #startedAtMs = 0;
  #triedMs = 0;
  #attempts = 0;

  /**
   * @param messageTimeoutMs for one message; 0 means never give up
   * @param onOver nothing was confirmed for 10 s, or for that time where it is shorter
   */
  constructor(messageTimeoutMs: number, onOver: () => void, nowMs: () => number) {
    this.#messageTimeoutMs = messageTimeoutMs;
    this.#onOver = onOver;
    this.#nowMs = nowMs;
  }

  /** Its time is over; never in the first attempt, so that no silent outage loses it. */
  get expired(): boolean {
    return this.#messageTimeoutMs !== 0 && this.#attempts > 1 && this.#triedMs >= this.#messageTimeoutMs;
  }

  /** It is another message. @param attempts how often it has been sent already */
  renew(attempts: number): void {
    this.stop();
    this.#triedMs = 0;
    this.#attempts = attempts;
  }

  attempted(): void {
    this.#attempts++;
  }

  /** It is in flight, on a link that takes messages. */
  start(): void {
    this.#startedAtMs = this.#nowMs();
    const ms = this.#messageTimeoutMs === 0 ? STUCK_MS : Math.max(1, Math.min(STUCK_MS, this.#messageTimeoutMs));
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
