import type { Publisher } from '../amqp/publisher.js';
import type { Logger } from '../log.js';
import { redactUri } from '../options/uri.js';
import { Lane, type LaneOptions } from './lane.js';

/** Users who name an exchange or keys of their own, until the rest of them share a lane. */
const OWN_LANES_MAX = 64;
const RETRY_MAX_MS = 60_000;

/** Where messages go that do not go where the node's own do. */
export interface Route {
  readonly uid: number;
  readonly exchange: string;
  readonly statsKey: string;
  readonly eventsKey: string;
}

interface OwnLane {
  readonly lane: Lane;
  /** Undefined if boxes with several exchanges share the lane. */
  readonly exchange: string | undefined;
  boxes: number;
  failures: number;
  close: () => void;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The confirm channels of a node. The broker closes a channel on which something is published that it refuses: at an
 * exchange that does not exist, or with a key that the user may not write to. So boxes with an exchange or keys of
 * their own do not share the channel of the others, and nobody's mistake holds up another user's messages.
 */
export class Lanes {
  readonly main: Lane;
  readonly #own = new Map<string, OwnLane>();
  #publisher: Publisher | undefined;
  #blocked = false;

  constructor(readonly options: LaneOptions) {
    this.main = new Lane(options);
  }

  /** Number of channels. */
  get size(): number {
    return 1 + this.#own.size;
  }

  /** One more box. @returns its lane, and what to call once its last message has left and it is gone */
  join(route: Route | undefined): { readonly lane: Lane; readonly leave: () => void } {
    if (route === undefined) return { lane: this.main, leave() {} };
    const wanted = JSON.stringify(route);
    const isShared = !this.#own.has(wanted) && this.#own.size >= OWN_LANES_MAX;
    const key = isShared ? '' : wanted;
    const own = this.#own.get(key) ?? this.#make(key, isShared ? undefined : route.exchange);
    own.boxes++;
    const leave = () => {
      if (--own.boxes > 0) return;
      this.#own.delete(key);
      clearTimeout(own.timer);
      own.lane.close();
      own.close();
    };
    return { lane: own.lane, leave };
  }

  /** @param fail ends the connection, because it confirms nothing */
  attach(publisher: Publisher, fail: (error: unknown) => void): void {
    this.#publisher = publisher;
    this.#blocked = false;
    this.main.attach(publisher.publish, () => fail(new Error('no confirm: no answer on the connection')));
    for (const own of this.#own.values()) this.#open(own);
  }

  detach(): void {
    this.#publisher = undefined;
    this.main.detach();
    for (const own of this.#own.values()) {
      clearTimeout(own.timer);
      own.close = () => {};
      own.lane.detach();
    }
  }

  setBlocked(blocked: boolean): void {
    this.#blocked = blocked;
    this.main.setBlocked(blocked);
    for (const { lane } of this.#own.values()) lane.setBlocked(blocked);
  }

  close(): void {
    this.detach();
    this.main.close();
    for (const { lane } of this.#own.values()) lane.close();
  }

  #make(key: string, exchange: string | undefined): OwnLane {
    const lane = new Lane(this.options);
    const own: OwnLane = { lane, exchange, boxes: 0, failures: 0, close() {}, timer: undefined };
    this.#own.set(key, own);
    this.#open(own);
    return own;
  }

  #open(own: OwnLane): void {
    const publisher = this.#publisher;
    if (publisher === undefined) return;
    const isCurrent = () => this.#publisher === publisher && [...this.#own.values()].includes(own);
    let isOver = false;
    const ended = (error: unknown) => {
      if (isOver || !isCurrent()) return;
      isOver = true;
      own.close = () => {};
      own.lane.detach();
      this.#retryLater(own, error);
    };
    const opened = (publish: Publisher['publish'], close: () => void) => {
      if (!isCurrent()) return close();
      own.close = close;
      own.lane.attach(publish, () => {
        close();
        ended(new Error('no confirm: no answer on the channel'));
      });
      own.lane.setBlocked(this.#blocked);
    };
    const open = () => publisher.openSecondChannel({ up: opened, ended });
    if (own.exchange === undefined) open();
    else publisher.ensureExchange(own.exchange, (error) => (error ? ended(error) : open()));
  }

  #retryLater(own: OwnLane, error: unknown): void {
    const { message } = error as Error;
    const why = /"([A-Z_]+ - [^"]*)"/.exec(message)?.[1] ?? message;
    const where = own.exchange === undefined ? 'exchanges of their own' : `exchange "${own.exchange}"`;
    const text = `statistics: messages of boxes with ${where} wait: ${redactUri(why)}`;
    this.#log[own.failures === 0 ? 'warn' : 'debug'](text);
    const mostMs = Math.min(RETRY_MAX_MS, 1000 * 2 ** Math.min(own.failures++, 10));
    own.timer = setTimeout(() => this.#open(own), Math.random() * mostMs).unref();
  }

  get #log(): Logger {
    return this.options.log;
  }
}
