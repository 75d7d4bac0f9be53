import type { Logger } from '../log.js';
import type { Outgoing, PublishResult } from '../model/types.js';
import { duration } from '../options/amounts.js';
import { ConfirmTimer } from './confirm-timer.js';
import { keepHeapSmall } from './heap.js';
import { type Packed, pack } from './packed.js';
import type { Queue } from './queue.js';

/**
 * The box's outgoing messages, in order, in bounded memory. A message stays until the broker has confirmed it and all
 * messages before it. One window of messages is in flight at a time, on one channel, which keeps their order. When the
 * link is lost or the broker refuses a message, the outbox sends everything from the first unconfirmed message on
 * again, in order and under the same message ids. So each message arrives at least once, and none out of order. After a
 * refusal the window restarts at one message and doubles with each confirm, so that at most one window overtakes the
 * refused message.
 *
 * A full outbox gives up the oldest message that is not in flight, and counts it. It also gives up a message that it
 * has tried for `messageTimeoutMs`. Only time with a link that is up and not blocked counts, and only from the second
 * attempt on, so that no outage, not even a silent one, loses what the bounds can hold.
 */

/**
 * Publishes one message on the link. Calls `done` at most once; if the link ends first, the outbox is detached instead.
 */
export type Send = (message: Outgoing, content: Buffer, done: (sent: PublishResult) => void) => void;

export interface OutboxBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** Memory that each message takes beside its content; counts towards `maxBytes` and `bytes`. @default 0 */
  readonly overheadBytes?: number;
  /** 0 means never give up. */
  readonly messageTimeoutMs: number;
  /** Messages in flight at a time. @default 256, and at most half of what the outbox may hold */
  readonly window?: number;
  /** A link that confirms nothing for this long is to be replaced. @default 10000 */
  readonly stuckMs?: number;
}

interface Entry {
  readonly message: Packed;
  /** Bytes in memory: the content and the overhead. */
  readonly cost: number;
  /** Confirmed in this attempt, but waiting for a confirm of a message before it. */
  confirmed: boolean;
}

const REFUSED_RETRY_MS = 250;
const WINDOW_MESSAGES = 256;
const WINDOW_BYTES = 1024 * 1024;
/** From this size on, V8's space for new objects does not grow: heap.ts. */
const FILLING_BYTES = 128 * 1024;

export class Outbox implements Queue {
  readonly #windowMax: number;
  readonly #windowBytes: number;
  #entries: (Entry | undefined)[] = [];
  /** Index of the first entry that is not confirmed, and of the first that is not in flight. */
  #head = 0;
  #next = 0;
  #bytes = 0;
  #bytesInFlight = 0;
  #dropped = 0;
  #window: number;
  #send: Send | null = null;
  #stuck: (() => void) | null = null;
  #blocked = false;
  #pumping = false;
  /** Counts rewinds: a result from an earlier generation is out of date. */
  #generation = 0;
  #retry: NodeJS.Timeout | null = null;
  /** How long the oldest message has been tried. */
  readonly #confirmTimer: ConfirmTimer;
  #waiting: (() => void)[] = [];
  #onLeft: (message: Outgoing, delivered: boolean) => void = () => {};
  #filling = false;

  constructor(
    readonly bounds: OutboxBounds,
    readonly log: Logger,
    readonly nowMs: () => number = () => performance.now(),
  ) {
    this.#windowMax = bounds.window ?? Math.max(1, Math.min(WINDOW_MESSAGES, bounds.maxMessages >> 1));
    this.#windowBytes = Math.min(WINDOW_BYTES, bounds.maxBytes / 2);
    this.#window = this.#windowMax;
    this.#confirmTimer = new ConfirmTimer(bounds.messageTimeoutMs, () => this.#unconfirmed(), nowMs, bounds.stuckMs);
  }

  get dropped(): number {
    return this.#dropped;
  }

  get length(): number {
    return this.#entries.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get oldest(): Outgoing | undefined {
    return this.#entries[this.#head]?.message;
  }

  /** Calls `listener` whenever the oldest message has left, because it was confirmed (`delivered`) or given up. */
  onLeft(listener: (message: Outgoing, delivered: boolean) => void): void {
    this.#onLeft = listener;
  }

  push(given: Outgoing): void {
    const message = pack(given);
    const cost = this.costOf(message);
    if (cost > this.bounds.maxBytes) {
      this.#giveUp(message, `it has ${message.content.length} bytes`);
      return;
    }
    while (this.length > 0 && !this.#fits(cost)) this.#dropOldest();
    this.#entries.push({ message, cost, confirmed: false });
    this.#bytes += cost;
    if (!this.#filling && this.#bytes > FILLING_BYTES) {
      this.#filling = true;
      keepHeapSmall(this.log);
    }
    this.#pump();
  }

  costOf({ content }: Packed): number {
    return content.length + (this.bounds.overheadBytes ?? 0);
  }

  /**
   * Starts to send over a link that has come up.
   * @param stuck called when the link confirms nothing for 10 s, and should be replaced
   */
  attach(send: Send, stuck: () => void): void {
    this.detach();
    this.#send = send;
    this.#stuck = stuck;
    this.#blocked = false;
    this.#window = this.#windowMax;
    this.#pump();
  }

  /** The link has gone. The outbox will send messages that were in flight again on the next one. */
  detach(): void {
    this.#stopRetry();
    this.#rewind();
    this.#send = null;
    this.#stuck = null;
  }

  /** Whether the broker takes no messages now (memory or disk alarm). That time does not count against any message. */
  setBlocked(blocked: boolean): void {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    if (blocked) return this.#confirmTimer.stop();
    if (this.#next > this.#head) this.#startClock();
    this.#pump();
  }

  drained(): Promise<void> {
    return this.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  #fits(more: number): boolean {
    return this.length < this.bounds.maxMessages && this.#bytes + more <= this.bounds.maxBytes;
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (let entry = this.#sendable(); entry !== undefined; entry = this.#sendable()) this.#attempt(entry);
    this.#pumping = false;
  }

  /** The next entry if it may be sent now. If nothing is in flight, an entry of any size may. */
  #sendable(): Entry | undefined {
    const inFlight = this.#next - this.#head;
    const entry = this.#entries[this.#next];
    if (this.#send === null || this.#blocked || this.#retry !== null || inFlight >= this.#window) return undefined;
    if (entry === undefined || inFlight === 0) return entry;
    return this.#bytesInFlight + entry.cost <= this.#windowBytes ? entry : undefined;
  }

  #attempt(entry: Entry): void {
    const generation = this.#generation;
    if (this.#next++ === this.#head) {
      this.#confirmTimer.attempted();
      this.#startClock();
    }
    this.#bytesInFlight += entry.cost;
    this.#send!(entry.message, entry.message.content, (sent) => {
      if (this.#generation === generation) this.#ended(entry, sent);
    });
  }

  #ended(entry: Entry, sent: PublishResult): void {
    if (sent === 'unknown') {
      this.#confirmTimer.stop();
      this.#stuck?.();
    } else if (sent === 'refused') this.#refused(entry);
    else {
      entry.confirmed = true;
      this.#window = Math.min(this.#windowMax, this.#window * 2);
      while (this.#head < this.#next && this.#entries[this.#head]!.confirmed) this.#shift(true);
      this.#pump();
    }
  }

  #refused(entry: Entry): void {
    const isHead = this.#entries[this.#head] === entry;
    this.#rewind();
    this.#window = 1;
    if (isHead && this.#confirmTimer.expired) {
      this.#giveUpHead('the broker refuses it');
      this.#pump();
    } else this.#retryLater();
  }

  /**
   * Until the retry nothing is sent, since nothing may overtake the head. The wait counts as time in which it was
   * tried.
   */
  #retryLater(): void {
    const startedAtMs = this.nowMs();
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#confirmTimer.tried(this.nowMs() - startedAtMs);
      this.#pump();
    }, REFUSED_RETRY_MS).unref();
  }

  /** Forgets what is in flight and begins at the head again. */
  #rewind(): void {
    this.#confirmTimer.stop();
    this.#generation++;
    for (let index = this.#head; index < this.#next; index++) this.#entries[index]!.confirmed = false;
    this.#next = this.#head;
    this.#bytesInFlight = 0;
  }

  #startClock(): void {
    if (!this.#blocked) this.#confirmTimer.start();
  }

  #unconfirmed(): void {
    if (this.#confirmTimer.expired) this.#giveUpHead(`no confirm within ${duration(this.bounds.messageTimeoutMs)}`);
    this.#stuck?.();
  }

  /** Gives up the oldest message that is not in flight; if all are in flight, the head. */
  #dropOldest(): void {
    const inFlight = this.#retry !== null ? 1 : this.#next - this.#head;
    if (inFlight === 0 || inFlight === this.length) return this.#giveUpHead('the outbox is full');
    const [entry] = this.#entries.splice(this.#head + inFlight, 1);
    this.#bytes -= entry!.cost;
    this.#giveUp(entry!.message, 'the outbox is full');
  }

  #giveUpHead(why: string): void {
    const entry = this.#entries[this.#head]!;
    this.#giveUp(entry.message, why);
    this.#shift(false);
  }

  #giveUp(message: Outgoing, why: string): void {
    this.#dropped++;
    const text = `gave up ${message.kind} ${message.messageId}: ${why} (${this.#dropped} so far)`;
    if (this.#dropped === 1) this.log.warn(`${text}; further ones are only counted`);
    else this.log.debug(text);
  }

  #shift(delivered: boolean): void {
    const { cost, message } = this.#entries[this.#head]!;
    this.#bytes -= cost;
    this.#entries[this.#head++] = undefined;
    if (this.#next >= this.#head) this.#bytesInFlight -= cost;
    else this.#next = this.#head;
    if (this.#head === this.#entries.length || this.#head > 1024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#next -= this.#head;
      this.#head = 0;
    }
    this.#newHead();
    this.#onLeft(message, delivered);
    if (this.length === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #stopRetry(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  /** The time of the new head begins now, even if it has been in flight for a while. */
  #newHead(): void {
    this.#stopRetry();
    const inFlight = this.#next > this.#head;
    this.#confirmTimer.renew(inFlight ? 1 : 0);
    if (inFlight) this.#startClock();
  }
}
