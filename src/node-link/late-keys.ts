import type { Bindings } from './bindings.js';
import { TokenBucket } from './token-bucket.js';

/** A node with fewer boxes binds the keys of a job and a box at once, as long as the rate allows it. */
const EARLY_BOXES = 64;
const EARLY_PER_SEC = 1 / 15;

interface Entry {
  readonly exchange: string;
  readonly keys: readonly string[];
  /** Until the keys are bound. */
  timer: NodeJS.Timeout | undefined;
}

/**
 * Keys that name a job or a box. A broker that serves thousands of nodes cannot bind and unbind them for every short
 * job, so most jobs get theirs once they have lasted a while.
 */
export class LateKeys {
  readonly #entries = new Map<object, Entry>();
  readonly #early = new TokenBucket(EARLY_PER_SEC, EARLY_BOXES);

  constructor(
    readonly bindings: Bindings,
    readonly lateBindMs: number,
  ) {}

  add(box: object, exchange: string, keys: readonly string[]): void {
    const isEarly = this.#entries.size < EARLY_BOXES && this.#early.take();
    const entry: Entry = { exchange, keys, timer: undefined };
    this.#entries.set(box, entry);
    const bind = () => {
      entry.timer = undefined;
      this.bindings.want(exchange, keys, true);
    };
    if (isEarly) bind();
    else entry.timer = setTimeout(bind, this.lateBindMs).unref();
  }

  remove(box: object): void {
    const entry = this.#entries.get(box);
    if (entry === undefined) return;
    this.#entries.delete(box);
    if (entry.timer === undefined) this.bindings.release(entry.exchange, entry.keys);
    else clearTimeout(entry.timer);
  }

  close(): void {
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
  }
}
