import type { PublishResult } from '../model/types.js';
import type { MessageRecord } from './record.js';

/** A channel with confirms. The broker ends it where it refuses a message for good. */
export interface PublishChannel {
  /** Publishes one message; `done` is called at most once: not where the channel ends first. */
  publish(message: MessageRecord, done: (outcome: PublishResult) => void): void;
  /**
   * @param listener gets the end of the channel, also where that has been; it takes the place of an earlier listener. `why`
   * is what the broker refuses in its words, or the client in its own; null where the link has ended
   */
  onEnded(listener: (why: string | null) => void): void;
  close(): void;
}

/** Why a file cannot be delivered further: of the broker, of the file itself, or because there is no more time. */
export type Trouble =
  | { readonly kind: 'stopped' }
  /** No confirm within the time for one. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'nacked' }
  | { readonly kind: 'refused'; readonly why: string };

export interface SendingOptions {
  /** Aborted: the link is lost, or there is no more time. */
  readonly stop: AbortSignal;
  /** For one confirm. */
  readonly confirmMs: number;
}

/** In flight at a time: the box's own messages go first. */
const WINDOW = 64;

interface InFlight {
  readonly n: number;
  /** Undefined until it is known; `onOutcome` gets it then. */
  outcome: PublishResult | undefined;
  onOutcome: (outcome: PublishResult) => void;
}

/** A window of the messages of one file in flight, and how far they are confirmed without a gap. */
export class Sending {
  readonly #channel: PublishChannel;
  readonly #options: SendingOptions;
  readonly #onStop = () => this.#end({ kind: 'stopped' });
  #inFlight: InFlight[] = [];
  #wake: (end: Trouble) => void = () => {};
  /** Highest number up to which all are confirmed. */
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

  /** @returns false where nothing more can be sent */
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

  /** Everything that was sent is confirmed, or cannot be. */
  async settle(): Promise<void> {
    while (this.#inFlight.length > 0 && this.trouble === undefined) await this.#oldest();
    this.#count();
  }

  /** Nothing more will be sent. */
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

  /** The broker may have confirmed messages in the moment before the trouble came: they are with it all the same. */
  #count(): void {
    for (let [oldest] = this.#inFlight; oldest?.outcome === 'confirmed'; [oldest] = this.#inFlight) {
      this.#inFlight.shift();
      this.confirmed++;
      this.through = Math.max(this.through, oldest.n);
    }
  }
}
