import type { IncomingMessage } from 'node:http';
import { isEnvironmentError } from '../../errors.js';
import { amountAt, objectAt } from '../model/fields.js';
import { parseJson } from '../model/json.js';
import type { Collector } from './collector.js';
import { type FeedHandlers, Link, type MessageFeed } from './link.js';

/** Samples and events from a collector, in the order in which it takes them in. */

export interface CollectorFeedOptions extends FeedHandlers {
  readonly collector: Collector;
  /** Parameters of `GET /messages/stream`: what the collector can leave out by itself. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Messages that are not dealt with; beyond it nothing more is read. */
  readonly prefetch: number;
}

/** Twice what the collector lets pass without a word, and some. */
const SILENT_MS = 40_000;
/** One event of the stream. No message is as long (docs/messages.md). */
const EVENT_MAX = 16 * 1024 * 1024;

export class CollectorFeed implements MessageFeed {
  readonly #options: CollectorFeedOptions;
  readonly #link: Link;
  #response: IncomingMessage | undefined;
  #open = 0;

  constructor(options: CollectorFeedOptions) {
    this.#options = options;
    this.#link = new Link({
      connect: () => this.#connect(),
      isPassing: isEnvironmentError,
      onDown: (why) => options.onState({ up: false, why }),
    });
  }

  open(): Promise<void> {
    return this.#link.open();
  }

  async close(): Promise<void> {
    this.#link.close();
    this.#response?.destroy();
  }

  /** @throws EnvironmentError */
  async #connect(): Promise<{ readonly lost: Promise<string> }> {
    const { collector, query, onState } = this.#options;
    const response = await collector.stream('/messages/stream', query);
    this.#response = response;
    this.#open = 0;
    onState({ up: true, at: collector.shown });
    return { lost: this.#read(response) };
  }

  /** @returns why it has ended, once it has */
  #read(response: IncomingMessage): Promise<string> {
    const { collector } = this.#options;
    const told = `collector ${collector.shown}: `;
    return new Promise((resolve) => {
      const lose = (why: string) => {
        resolve(told + why);
        response.destroy();
      };
      const silent = setTimeout(() => {
        // A reader of ours that is slow is not a collector that is silent.
        if (response.isPaused()) silent.refresh();
        else lose(`nothing for ${SILENT_MS / 1000} s`);
      }, SILENT_MS);
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        silent.refresh();
        const events = (text + part).split('\n\n');
        text = events.pop()!;
        for (const event of events) this.#take(response, event);
        if (text.length > EVENT_MAX) lose('an event of its stream is too long: is it a collector?');
      });
      response.on('error', ({ message }) => lose(message));
      response.on('close', () => {
        clearTimeout(silent);
        lose('it has closed the stream');
      });
    });
  }

  #take(response: IncomingMessage, text: string): void {
    const { onMessage, onLeftOut, prefetch } = this.#options;
    const [, event, data = ''] = /^event: (\w+)\ndata: (.*)$/s.exec(text) ?? [];
    if (this.#link.isClosed || response !== this.#response) return;
    if (event === 'left_out') onLeftOut?.(amountAt(objectAt(parseJson(data))['messages']) ?? 1);
    if (event !== 'message') return;
    if (++this.#open >= prefetch) response.pause();
    onMessage(Buffer.from(data), () => {
      if (response !== this.#response) return;
      if (--this.#open < prefetch && response.isPaused()) response.resume();
    });
  }
}
