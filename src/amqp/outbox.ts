import type { Outgoing } from '../box/types.js';
import type { Logger } from '../log.js';

/**
 * What is to leave the box, in order, in memory, within bounds. The head stays until the broker has confirmed it, and
 * is sent again with the same message id after a lost link: at least once, never out of order. One message is in
 * flight at a time: rascal lends a channel to one publication until its confirm, and several channels lose the order.
 *
 * Where it is full the oldest message that is not in flight is given up, and counted. A message is also given up once
 * it has been tried for `messageTimeoutMs`: only time with a link that is up and not blocked counts, and only from the
 * second attempt on, so that no outage, a silent one neither, loses what the bounds can hold.
 */

/** How one attempt at one message ended: kept by the broker, turned down by it, or not known because the link failed. */
export type Sent = 'confirmed' | 'refused' | 'unknown';

/** Puts one message on the link; `done` is called exactly once, also when the link ends. */
export type Send = (message: Outgoing, content: Buffer, done: (sent: Sent) => void) => void;

export interface OutboxBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** 0 means never give up. */
  readonly messageTimeoutMs: number;
}

interface Entry {
  readonly message: Outgoing;
  readonly content: Buffer;
}

/** A link on which nothing is confirmed for so long is replaced, whatever its heartbeat says. */
export const STUCK_MS = 10_000;
const REFUSED_RETRY_MS = 250;

export class Outbox {
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #dropped = 0;
  #send: Send | null = null;
  #stuck: (() => void) | null = null;
  #blocked = false;
  /** Number of the attempt whose end is awaited; 0 when nothing is in flight. */
  #inFlight = 0;
  #attempts = 0;
  #timer: NodeJS.Timeout | null = null;
  #timerSetAtMs = 0;
  #retry: NodeJS.Timeout | null = null;
  /** For the head: time tried on links that were up, and attempts. */
  #triedMs = 0;
  #tries = 0;
  #waiting: (() => void)[] = [];

  constructor(
    readonly bounds: OutboxBounds,
    readonly log: Logger,
    readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Messages given up so far. */
  get dropped(): number {
    return this.#dropped;
  }

  get length(): number {
    return this.#entries.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(message: Outgoing): void {
    const content = Buffer.from(message.body);
    if (content.length > this.bounds.maxBytes) {
      this.#giveUp(message, `it has ${content.length} bytes`);
      return;
    }
    while (this.length > 0 && !this.#fits(content.length)) this.#dropOldest();
    this.#entries.push({ message, content });
    this.#bytes += content.length;
    this.#pump();
  }

  /**
   * A link is up.
   * @param stuck called when this link confirms nothing for 10 s: it should be replaced
   */
  attach(send: Send, stuck: () => void): void {
    this.detach();
    this.#send = send;
    this.#stuck = stuck;
    this.#blocked = false;
    this.#pump();
  }

  /** The link is gone; what was in flight is sent again on the next one. */
  detach(): void {
    this.#stopClock();
    this.#stopRetry();
    this.#send = null;
    this.#stuck = null;
    this.#inFlight = 0;
  }

  /** The broker takes no publications now (memory or disk alarm); that time does not count against any message. */
  setBlocked(blocked: boolean): void {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    if (blocked) this.#stopClock();
    else if (this.#inFlight !== 0 && this.#retry === null) this.#startClock();
  }

  /** Resolves when nothing is left. */
  drained(): Promise<void> {
    return this.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  #fits(more: number): boolean {
    return this.length < this.bounds.maxMessages && this.#bytes + more <= this.bounds.maxBytes;
  }

  #pump(): void {
    const entry = this.#entries[this.#head];
    if (this.#send === null || this.#inFlight !== 0 || entry === undefined) return;
    const attempt = ++this.#attempts;
    this.#inFlight = attempt;
    this.#tries++;
    this.#startClock();
    this.#send(entry.message, entry.content, (sent) => {
      if (this.#inFlight === attempt) this.#ended(sent);
    });
  }

  #ended(sent: Sent): void {
    this.#stopClock();
    if (sent === 'unknown') this.#stuck?.();
    else if (sent === 'refused' && !this.#expired()) this.#retryLater();
    else {
      if (sent === 'refused') this.#giveUpHead('the broker refuses it');
      else this.#shift();
      this.#pump();
    }
  }

  /** Meanwhile the head still counts as in flight: nothing may overtake it. */
  #retryLater(): void {
    const attempt = this.#inFlight;
    const startedAtMs = this.nowMs();
    this.#retry = setTimeout(() => {
      this.#retry = null;
      if (this.#inFlight !== attempt) return;
      this.#triedMs += this.nowMs() - startedAtMs;
      this.#inFlight = 0;
      this.#pump();
    }, REFUSED_RETRY_MS).unref();
  }

  #startClock(): void {
    if (this.#blocked) return;
    this.#timerSetAtMs = this.nowMs();
    this.#timer = setTimeout(() => this.#unconfirmed(), this.#patienceMs()).unref();
  }

  #patienceMs(): number {
    const { messageTimeoutMs } = this.bounds;
    return messageTimeoutMs === 0 ? STUCK_MS : Math.max(1, Math.min(STUCK_MS, messageTimeoutMs));
  }

  #stopClock(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#triedMs += this.nowMs() - this.#timerSetAtMs;
  }

  #unconfirmed(): void {
    this.#stopClock();
    if (this.#expired()) this.#giveUpHead(`no confirm within ${this.bounds.messageTimeoutMs} ms`);
    this.#stuck?.();
  }

  #expired(): boolean {
    const { messageTimeoutMs } = this.bounds;
    return messageTimeoutMs !== 0 && this.#tries > 1 && this.#triedMs >= messageTimeoutMs;
  }

  #dropOldest(): void {
    const index = this.#head + (this.#inFlight !== 0 && this.length > 1 ? 1 : 0);
    const [entry] = this.#entries.splice(index, 1);
    this.#bytes -= entry!.content.length;
    if (index === this.#head) this.#forgetAttempt();
    this.#giveUp(entry!.message, 'the outbox is full');
  }

  #giveUpHead(why: string): void {
    const entry = this.#entries[this.#head]!;
    this.#giveUp(entry.message, why);
    this.#shift();
  }

  #giveUp(message: Outgoing, why: string): void {
    this.#dropped++;
    const text = `gave up ${message.kind} ${message.messageId}: ${why} (${this.#dropped} so far)`;
    if (this.#dropped === 1) this.log.warn(`${text}; further ones are only counted`);
    else this.log.debug(text);
  }

  #shift(): void {
    this.#bytes -= this.#entries[this.#head]!.content.length;
    this.#entries[this.#head++] = undefined;
    if (this.#head === this.#entries.length || this.#head > 1024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.#forgetAttempt();
    if (this.length === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #stopRetry(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  #forgetAttempt(): void {
    this.#stopClock();
    this.#stopRetry();
    this.#inFlight = 0;
    this.#triedMs = 0;
    this.#tries = 0;
  }
}
