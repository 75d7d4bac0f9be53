import { sleep } from '../../amqp/tool-connection.js';

/** A link that its owner opens once, and that is made again whenever it fails. */

export type LinkState = { readonly up: true; readonly at: string } | { readonly up: false; readonly why: string };

/** A source of samples and events, each as it was published. */
export interface MessageFeed {
  /**
   * Connects once, and from then on again whenever the link fails.
   * @throws BrokerError, EnvironmentError or SpecError if the first attempt fails
   */
  open(): Promise<void>;
  /** Nothing comes after it. */
  close(): Promise<void>;
}

export interface FeedHandlers {
  /** @param done call it when the message has been dealt with: a feed sends only so many that are not */
  onMessage(content: Buffer, done: () => void): void;
  /** The link is up, or it has failed and will be tried again. */
  onState(state: LinkState): void;
  /** The source has left out messages because this program reads them too slowly. */
  onLeftOut?(count: number): void;
}

export interface LinkOptions {
  /** @returns `lost` settles when the link is lost, with the reason */
  connect(): Promise<{ readonly lost: Promise<string> }>;
  /** Whether to try again after this error of `connect`. */
  isPassing(error: unknown): boolean;
  onDown(why: string): void;
}

const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 10_000;

export class Link {
  readonly #options: LinkOptions;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @throws what the first attempt throws */
  async open(): Promise<void> {
    const { lost } = await this.#options.connect();
    void this.#keep(lost);
  }

  /** From now on it is not made again. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async #keep(first: Promise<string>): Promise<void> {
    const { connect, isPassing, onDown } = this.#options;
    let lost = first;
    for (let failures = 0; !this.#isClosed; ) {
      const why = await lost;
      if (this.#isClosed) return;
      onDown(why);
      await this.#pause(
        Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2),
      );
      if (this.#isClosed) return;
      try {
        ({ lost } = await connect());
        failures = 0;
      } catch (error) {
        if (!isPassing(error)) throw error;
        failures++;
        lost = Promise.resolve((error as Error).message);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await Promise.race([sleep(ms), new Promise<void>((resolve) => (this.#wake = resolve))]);
  }
}
