import { Packed } from '../amqp/packed.js';
import type { Publication } from '../amqp/publisher.js';
import type { Outgoing } from '../model/types.js';
import type { TokenBucket } from './token-bucket.js';

/** A message of one box on its way through the node's outbox. */
export class Parcel extends Packed {
  /** Bytes in memory. */
  readonly cost: number;
  /** Its number in the node's spool, if it was read back from there. */
  number: number | undefined;
  /** Neighbours among the waiting messages of the same user, and the next one of the same box. */
  before: Parcel | undefined;
  after: Parcel | undefined;
  next: Parcel | undefined;

  constructor(
    message: Outgoing,
    readonly queue: BoxQueue,
    overheadBytes: number,
  ) {
    super(message);
    this.cost = this.content.length + overheadBytes;
  }
}

/** A user of the node: what all of his boxes have in memory together. */
export class User {
  bytes = 0;
  /** Boxes that are attached, or have messages left. */
  boxes = 0;
  /** Whether the log names a loss of this user. */
  isTold = false;
  #oldest: Parcel | undefined;
  #newest: Parcel | undefined;

  constructor(
    readonly uid: number,
    readonly bucket: TokenBucket,
  ) {}

  /** The oldest message that waits for its turn. */
  get oldest(): Parcel | undefined {
    return this.#oldest;
  }

  wait(parcel: Parcel): void {
    parcel.before = this.#newest;
    if (this.#newest === undefined) this.#oldest = parcel;
    else this.#newest.after = parcel;
    this.#newest = parcel;
  }

  leave(parcel: Parcel): void {
    const { before, after } = parcel;
    if (before === undefined) this.#oldest = after;
    else before.after = after;
    if (after === undefined) this.#newest = before;
    else after.before = before;
    parcel.before = undefined;
    parcel.after = undefined;
  }
}

/**
 * The unconfirmed messages of one box, in their order: those that were handed to the lane, those that were read back
 * from the spool, those that are in the spool only, and those that wait.
 */
export class BoxQueue {
  readonly handed = new Set<Parcel>();
  readonly returned: Parcel[] = [];
  /** Number of messages that are in the spool only. While there are some, nothing that waits may be sent. */
  spilled = 0;
  /** Messages given up so far. */
  dropped = 0;
  #bytes = 0;
  #first: Parcel | undefined;
  #last: Parcel | undefined;
  #waiting = 0;
  #drained: (() => void)[] = [];

  constructor(
    readonly user: User,
    readonly publication: (message: Outgoing, content: Buffer) => Publication,
  ) {}

  get length(): number {
    return this.handed.size + this.returned.length + this.spilled + this.#waiting;
  }

  /** What they take in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get isReady(): boolean {
    return this.returned.length > 0 || (this.spilled === 0 && this.#waiting > 0);
  }

  drained(): Promise<void> {
    return this.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Call this when messages have left: those who wait for the last one are told. */
  settle(): void {
    if (this.length === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** The messages that wait, oldest first. */
  *waiting(): Iterable<Parcel> {
    for (let parcel = this.#first; parcel !== undefined; parcel = parcel.next) yield parcel;
  }

  wait(parcel: Parcel): void {
    if (this.#last === undefined) this.#first = parcel;
    else this.#last.next = parcel;
    this.#last = parcel;
    this.#waiting++;
    this.#account(parcel.cost);
    this.user.wait(parcel);
  }

  /** Takes out the oldest message that waits. It counts as memory until `forget`. */
  takeWaiting(): Parcel | undefined {
    const parcel = this.#first;
    if (parcel === undefined) return undefined;
    this.#first = parcel.next;
    if (this.#first === undefined) this.#last = undefined;
    parcel.next = undefined;
    this.#waiting--;
    this.user.leave(parcel);
    return parcel;
  }

  /** Takes a message that was read back from the spool. */
  giveBack(parcel: Parcel): void {
    this.returned.push(parcel);
    this.#account(parcel.cost);
  }

  /** @returns the next message to send. Call this only if the queue is ready */
  hand(): Parcel {
    const parcel = this.returned.shift() ?? this.takeWaiting()!;
    this.handed.add(parcel);
    return parcel;
  }

  /** The message is no longer in memory. */
  forget(parcel: Parcel): void {
    this.handed.delete(parcel);
    this.#account(-parcel.cost);
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    this.user.bytes += bytes;
  }
}
