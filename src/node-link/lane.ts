import { Outbox } from '../amqp/outbox.js';
import type { Publisher } from '../amqp/publisher.js';
import type { Logger } from '../log.js';
import type { BoxQueue, Parcel, User } from './box-queue.js';

/** Messages and bytes that one lane has in flight. So nobody waits for more than this, whatever others send. */
const WINDOW_MESSAGES = 256;
const WINDOW_BYTES = 1024 * 1024;
/** A broker that serves thousands of nodes may be slow; replacing connections would make it slower. */
const STUCK_MS = 60_000;

export interface LaneOptions {
  /** 0 means never give up. */
  readonly messageTimeoutMs: number;
  /**
   * Messages that follow another one sooner than this wait until then and leave together, because each write to the broker costs
   * as much CPU as the sample in it. @default 0
   */
  readonly gatherMs?: number;
  /** A message was confirmed (`delivered`), or given up. */
  readonly onLeft: (parcel: Parcel, delivered: boolean) => void;
  readonly log: Logger;
}

/**
 * One confirm channel and the messages in flight on it. The users take turns, and so do the boxes of a user. Only a
 * window of messages is handed to the channel's outbox, which keeps their order and sends them again if it has to.
 */
export class Lane {
  readonly #outbox: Outbox;
  /** Users with messages that may be sent, in the order of their turns, and their boxes in the same way. */
  readonly #turns = new Map<User, Set<BoxQueue>>();
  #pumping = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #gatherMs: number;
  #gathering: NodeJS.Timeout | undefined;
  #sentMs = Number.NEGATIVE_INFINITY;
  /** Messages wait for room in the window. */
  #isFull = false;

  constructor({ messageTimeoutMs, gatherMs = 0, onLeft, log }: LaneOptions) {
    this.#gatherMs = gatherMs;
    const bounds = { maxMessages: 2 * WINDOW_MESSAGES + 2, maxBytes: Number.MAX_SAFE_INTEGER, window: WINDOW_MESSAGES };
    this.#outbox = new Outbox({ ...bounds, messageTimeoutMs, stuckMs: STUCK_MS }, log);
    this.#outbox.onLeft((message, delivered) => {
      onLeft(message as Parcel, delivered);
      if (this.#isFull) this.pump();
    });
  }

  /** Whether nothing waits here and nothing is in flight. */
  get isEmpty(): boolean {
    return this.#outbox.length === 0 && this.#turns.size === 0;
  }

  /** Starts to send. @param stuck the channel confirms nothing */
  attach(publish: Publisher['publish'], stuck: () => void): void {
    this.#outbox.attach((message, content, sent) => {
      publish((message as Parcel).queue.publication(message, content), sent);
    }, stuck);
  }

  detach(): void {
    this.#outbox.detach();
  }

  setBlocked(blocked: boolean): void {
    this.#outbox.setBlocked(blocked);
  }

  /** Call this when a queue has something to send, or has nothing any more. */
  update(queue: BoxQueue): void {
    const boxes = this.#turns.get(queue.user);
    if (!queue.isReady) {
      boxes?.delete(queue);
      if (boxes?.size === 0) this.#turns.delete(queue.user);
      return;
    }
    if (boxes === undefined) this.#turns.set(queue.user, new Set([queue]));
    else boxes.add(queue);
    this.#pumpSoon();
  }

  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#hasRoom()) {
      const user = this.#nextUser();
      if (user === undefined) break;
      this.#sentMs = performance.now();
      this.#outbox.push(this.#takeTurn(user));
    }
    this.#isFull = this.#turns.size > 0;
    this.#pumping = false;
  }

  #pumpSoon(): void {
    if (this.#gathering !== undefined) return;
    const leftMs = this.#sentMs + this.#gatherMs - performance.now();
    if (leftMs <= 0) return this.pump();
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.pump();
    }, leftMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    this.detach();
  }

  #hasRoom(): boolean {
    const { length, bytes } = this.#outbox;
    return length === 0 || (length < WINDOW_MESSAGES && bytes < WINDOW_BYTES);
  }

  /** The first user whose rate allows a message; if there is none, the lane goes on when somebody's does. */
  #nextUser(): User | undefined {
    let waitMs = Number.POSITIVE_INFINITY;
    for (const user of this.#turns.keys()) {
      if (user.bucket.take()) return user;
      waitMs = Math.min(waitMs, user.bucket.waitMs);
    }
    if (waitMs !== Number.POSITIVE_INFINITY) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.pump(), Math.ceil(waitMs)).unref();
    }
    return undefined;
  }

  #takeTurn(user: User): Parcel {
    const boxes = this.#turns.get(user)!;
    const [queue] = boxes;
    boxes.delete(queue!);
    const parcel = queue!.hand();
    if (queue!.isReady) boxes.add(queue!);
    this.#turns.delete(user);
    if (boxes.size > 0) this.#turns.set(user, boxes);
    return parcel;
  }
}
