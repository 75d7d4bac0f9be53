import { Feed, type FeedOptions } from '../source/feed.js';
import type { LinkState } from '../source/link.js';
import { Boxes, type BoxesOptions } from './boxes.js';
import type { TopRow } from './row.js';
import type { TopSource } from './top.js';
import type { Tracked } from './tracked.js';

/** Rows from what boxes publish: from the broker alone, without a server of ours. */

export interface BrokerSourceOptions extends BoxesOptions {
  readonly feed: Pick<FeedOptions, 'uris' | 'socketOptions' | 'exchange' | 'bindings'>;
  /**
   * Asks the boxes for their status, so that the table is full at once and not only after everybody's next sample. Without
   * the permission to send commands this fails, and that is no error.
   */
  ask(onAnswer: (text: string) => boolean): Promise<unknown>;
}

export class BrokerSource implements TopSource, AsyncDisposable {
  readonly #boxes: Boxes;
  readonly #feed: Feed;
  readonly #ask: BrokerSourceOptions['ask'];
  #state: LinkState = { up: false, why: 'not connected yet' };
  #refused = 0;

  constructor({ feed, ask, ...options }: BrokerSourceOptions) {
    this.#boxes = new Boxes(options);
    this.#ask = ask;
    this.#feed = new Feed({
      ...feed,
      name: 'proc_box top',
      prefetch: 0,
      onMessage: (content) => this.#boxes.message(content),
      onState: (state) => {
        this.#state = state;
      },
    });
  }

  /** @throws BrokerError if there is no broker, or it lets us read nothing */
  async open(): Promise<void> {
    await this.#feed.open();
  }

  /** Resolves once every answer has come that comes in time. Never rejects. */
  async askAll(): Promise<void> {
    try {
      await this.#ask((text) => {
        const told = this.#boxes.answer(text);
        if (!told) this.#refused++;
        return told;
      });
    } catch {
      // BrokerError, such as a missing permission: boxes show up with their next sample.
    }
  }

  rows(): readonly TopRow[] {
    return this.#boxes.rows();
  }

  details({ box }: TopRow): Tracked | undefined {
    return this.#boxes.get(box);
  }

  state(): { readonly text: string; readonly isError: boolean } {
    if (!this.#state.up) return { text: `not connected: ${this.#state.why}; trying again`, isError: true };
    const odd = this.#boxes.unreadable > 0 ? `, ${this.#boxes.unreadable} unreadable messages` : '';
    const refused = this.#refused > 0 ? `, ${this.#refused} boxes refused to answer` : '';
    return { text: `from ${this.#state.at}${odd}${refused}`, isError: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#feed.close();
  }
}
