import type { PublishResult } from '../model/types.js';
import type { MessageRecord } from './record.js';

/** A channel with confirms. The broker closes it if it refuses a message for good. */
export interface PublishChannel {
  /** Publishes one message. Calls `done` at most once, and not at all if the channel ends first. */
  publish(message: MessageRecord, done: (outcome: PublishResult) => void): void;
  /**
   * Calls `listener` when the channel ends, or at once if it has ended. It replaces an earlier listener.
   * @param listener gets the reason of the broker, or of the client library, to refuse a message; null if the link has
   * ended
   */
  onEnded(listener: (why: string | null) => void): void;
  close(): void;
}

/** Why the delivery of a file cannot go on. */
export type Trouble =
  /** The link is lost, or the time is over. */
  | { readonly kind: 'stopped' }
  /** The broker did not confirm a message in time. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'nacked' }
  | { readonly kind: 'refused'; readonly why: string };

export interface SendingOptions {
  /** Aborted when the link is lost or the time is over. */
  readonly stop: AbortSignal;
  /** Longest wait for one confirm. */
  readonly confirmMs: number;
}

/** Messages in flight at a time; few, so that the box's own messages are not held up. */
const WINDOW = 64;

interface InFlight {
  readonly n: number;
  /** Undefined until the result is known, which is when `onOutcome` is called. */
  outcome: PublishResult | undefined;
  onOutcome: (outcome: PublishResult) => void;
}

/** Keeps a window of one file's messages in flight, and counts how far they are confirmed without a gap. */
export class Sending {
  readonly #channel: PublishChannel;
  readonly #options: SendingOptions;
  readonly #onStop = () => this.#end({ kind: 'stopped' });
  #inFlight: InFlight[] = [];
  #wake: (end: Trouble) => void = () => {};
  /** Every message up to this number is confirmed. */
  through = 0;
  confirmed = 0;
  trouble: Trouble | undefined;

  constructor(channel: PublishChannel, options: SendingOptions) {
    this.#channel = channel;
    this.#options = options;
    if (options.stop.aborted) this.#onStop();
    options.stop.addEventListener('abort', this.#onStop);
    channel.onEnded((why) => this.#end(why === null ? { kind: 'stopped' } : { kind: 'refused', why }));
  }

  /** Publishes a message once the window has room. @returns false if nothing more can be sent */
  async send(message: MessageRecord): Promise<boolean> {
    if (this.trouble !== undefined) return false;
    const one: InFlight = { n: message.n, outcome: undefined, onOutcome: () => {} };
    this.#inFlight.push(one);
    this.#channel.publish(message, (outcome) => {
      one.outcome = outcome;
      one.onOutcome(outcome);
    });
    if (this.#inFlight.length >= WINDOW) await this.#oldest();
    return this.trouble === undefined;
  }

  /** Waits until every message is confirmed, or trouble has come. */
  async settle(): Promise<void> {
    while (this.#inFlight.length > 0 && this.trouble === undefined) await this.#oldest();
    this.#count();
  }

  /** Call this when nothing more will be sent. */
  close(): void {
    this.#options.stop.removeEventListener('abort', this.#onStop);
    this.#channel.onEnded(() => {});
  }

  #end(trouble: Trouble): void {
    this.trouble ??= trouble;
    this.#wake(this.trouble);
  }

  async #oldest(): Promise<void> {
    const oldest = this.#inFlight[0]!;
    let timer: NodeJS.Timeout | undefined;
    const settled = await new Promise<PublishResult | Trouble>((resolve) => {
      if (oldest.outcome !== undefined) return resolve(oldest.outcome);
      oldest.onOutcome = resolve;
      this.#wake = resolve;
      timer = setTimeout(resolve, this.#options.confirmMs, { kind: 'silent' });
    });
    clearTimeout(timer);
    this.#count();
    if (typeof settled === 'object') this.#end(settled);
    else if (settled !== 'confirmed') this.#end({ kind: settled === 'refused' ? 'nacked' : 'stopped' });
  }

  /** Also counts messages that the broker confirmed just before the trouble came. */
  #count(): void {
    for (let [oldest] = this.#inFlight; oldest?.outcome === 'confirmed'; [oldest] = this.#inFlight) {
      this.#inFlight.shift();
      this.confirmed++;
      this.through = Math.max(this.through, oldest.n);
    }
  }
}
