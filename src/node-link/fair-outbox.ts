import { keepHeapSmall } from '../amqp/heap.js';
import type { Publication } from '../amqp/publisher.js';
import type { Logger } from '../log.js';
import type { Outgoing } from '../model/types.js';
import { BoxQueue, Parcel, User } from './box-queue.js';
import type { Lane } from './lane.js';
import { TokenBucket } from './token-bucket.js';

export interface NodeBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** Memory that a message takes beside its content. */
  readonly overheadBytes: number;
}

/** What one user may have. */
export interface Quotas {
  /** Bytes in memory. */
  readonly maxBytes: number;
  /** 0 means no limit. */
  readonly messagesPerSec: number;
  readonly burst: number;
}

/** Takes what memory has no room for. */
export interface Overflow {
  /** Takes the message over, which counts as `spilled` of its queue. */
  spill(parcel: Parcel): void;
  /** A message that was read back from the spool is confirmed, or given up. */
  settled(parcel: Parcel): void;
  /** There may be room for messages from the spool. */
  roomy(): void;
}

const FILLING_BYTES = 128 * 1024;

/**
 * The messages of all boxes of a node, in bounded memory. Whoever exceeds his quota loses his own oldest messages. If
 * the node's bounds are reached, the oldest messages of the user with the most bytes go to the spool, or are given up.
 */
export class FairOutbox {
  readonly #users = new Map<number, User>();
  readonly #lanes = new Map<BoxQueue, Lane>();
  #messages = 0;
  #bytes = 0;
  #dropped = 0;
  #filling = false;
  overflow: Overflow | undefined;

  constructor(
    readonly bounds: NodeBounds,
    readonly quotas: Quotas,
    readonly log: Logger,
  ) {}

  /** Messages in memory. */
  get length(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** The queues of boxes that are attached, or have messages left. */
  get queues(): Iterable<BoxQueue> {
    return this.#lanes.keys();
  }

  add(uid: number, lane: Lane, publication: (message: Outgoing, content: Buffer) => Publication): BoxQueue {
    let user = this.#users.get(uid);
    if (user === undefined) {
      const { messagesPerSec, burst } = this.quotas;
      user = new User(uid, new TokenBucket(messagesPerSec, burst));
      this.#users.set(uid, user);
    }
    user.boxes++;
    const queue = new BoxQueue(user, publication);
    this.#lanes.set(queue, lane);
    return queue;
  }

  /** Forgets a queue. Call this once it is empty, and its box is gone. */
  remove(queue: BoxQueue): void {
    if (!this.#lanes.delete(queue)) return;
    const { user } = queue;
    if (--user.boxes === 0) this.#users.delete(user.uid);
  }

  /** Never blocks, never throws. */
  push(queue: BoxQueue, message: Outgoing): void {
    const parcel = new Parcel(message, queue, this.bounds.overheadBytes);
    const { user } = queue;
    if (parcel.cost > Math.min(this.quotas.maxBytes, this.bounds.maxBytes)) {
      this.#lose(queue, `it has ${parcel.content.length} bytes`);
      return;
    }
    queue.wait(parcel);
    this.#account(1, parcel.cost);
    while (user.bytes > this.quotas.maxBytes && user.oldest !== undefined) this.#giveUpOldest(user);
    while (this.#isFull() && this.#makeRoom());
    this.#laneOf(queue).update(queue);
  }

  /** Takes a message back from the spool. */
  giveBack(parcel: Parcel): void {
    const { queue } = parcel;
    queue.spilled--;
    queue.giveBack(parcel);
    this.#account(1, parcel.cost);
    this.#laneOf(queue).update(queue);
  }

  /** Messages of the spool are lost. */
  lost(queue: BoxQueue, why: string): void {
    queue.spilled--;
    this.#lose(queue, why);
    this.#laneOf(queue).update(queue);
  }

  /** Call this when a lane has delivered a message, or has given it up. */
  left(parcel: Parcel, delivered: boolean): void {
    const { queue } = parcel;
    queue.forget(parcel);
    this.#account(-1, -parcel.cost);
    if (!delivered) this.#count(queue);
    this.overflow?.settled(parcel);
    queue.settle();
    this.overflow?.roomy();
  }

  #laneOf(queue: BoxQueue): Lane {
    return this.#lanes.get(queue)!;
  }

  #isFull(): boolean {
    return this.#messages > this.bounds.maxMessages || this.#bytes > this.bounds.maxBytes;
  }

  /** @returns whether something has left the memory */
  #makeRoom(): boolean {
    let largest: User | undefined;
    for (const user of this.#users.values()) {
      if (user.oldest !== undefined && (largest === undefined || user.bytes > largest.bytes)) largest = user;
    }
    if (largest === undefined) return false;
    const { queue } = largest.oldest!;
    const parcel = queue.takeWaiting()!;
    this.#forget(parcel);
    if (this.overflow === undefined) this.#lose(queue, 'the outbox of the node is full');
    else {
      queue.spilled++;
      this.overflow.spill(parcel);
    }
    this.#laneOf(queue).update(queue);
    return true;
  }

  #giveUpOldest(user: User): void {
    const { queue } = user.oldest!;
    this.#forget(queue.takeWaiting()!);
    this.#lose(queue, `uid ${user.uid} has more than ${this.quotas.maxBytes} bytes in the outbox`);
    this.#laneOf(queue).update(queue);
  }

  #forget(parcel: Parcel): void {
    parcel.queue.forget(parcel);
    this.#account(-1, -parcel.cost);
  }

  #account(messages: number, bytes: number): void {
    this.#messages += messages;
    this.#bytes += bytes;
    if (this.#filling || this.#bytes <= FILLING_BYTES) return;
    this.#filling = true;
    keepHeapSmall(this.log);
  }

  #count(queue: BoxQueue): void {
    queue.dropped++;
    this.#dropped++;
  }

  #lose(queue: BoxQueue, why: string): void {
    this.#count(queue);
    const { user } = queue;
    const text = `gave up a message of uid ${user.uid}: ${why}`;
    if (user.isTold) this.log.debug(text);
    else this.log.warn(`${text}; further ones of this user are only counted`);
    user.isTold = true;
    queue.settle();
  }
}
