import type { Publisher } from './publisher.js';

/** An answer to a command, as a message. */
export interface Reply {
  readonly replyTo: string;
  readonly correlationId: string | undefined;
  readonly messageId: string;
  readonly body: string;
}

const WAITING_MAX = 1000;
const AGE_MAX_MS = 10_000;

/**
 * Sends answers to commands, to the default exchange or to `--reply-exchange`. They have a channel of their own, so
 * that they do not wait behind the outbox. They need no confirms: an operator who misses an answer sends the command
 * again under the same message id and gets the same answer. Their number and age are bounded.
 */
export class Replies {
  #waiting: { readonly reply: Reply; readonly atMs: number }[] = [];
  #publisher: Publisher | null = null;
  #blocked = false;
  #busy = false;
  #idle: (() => void)[] = [];

  /**
   * @param exchange empty for the default exchange
   * @param site message properties that the site sets (`--rascal-config`)
   */
  constructor(
    readonly exchange = '',
    readonly site: object = {},
    readonly nowMs: () => number = () => performance.now(),
    readonly waitingMax = WAITING_MAX,
  ) {}

  push(reply: Reply): void {
    if (this.#waiting.length >= this.waitingMax) this.#waiting.shift();
    this.#waiting.push({ reply, atMs: this.nowMs() });
    this.#pump();
  }

  attach(publisher: Publisher): void {
    this.#publisher = publisher;
    this.#blocked = false;
    this.#busy = false;
    this.#pump();
  }

  detach(): void {
    this.#publisher = null;
    this.#busy = false;
  }

  setBlocked(blocked: boolean): void {
    this.#blocked = blocked;
    if (!blocked) this.#pump();
  }

  /** Resolves when every answer has been handed to the connection or has become too old. */
  flushed(): Promise<void> {
    this.#discardOld();
    if (this.#waiting.length === 0 && !this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    if (this.#publisher === null || this.#blocked || this.#busy) return;
    this.#discardOld();
    const next = this.#waiting.shift();
    if (next === undefined) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#busy = true;
    const publisher = this.#publisher;
    publisher.send(this.#publication(next.reply), () => {
      if (this.#publisher !== publisher) return;
      this.#busy = false;
      this.#pump();
    });
  }

  #publication(reply: Reply) {
    const options = {
      persistent: false,
      ...this.site,
      contentType: 'application/json',
      messageId: reply.messageId,
      timestamp: Math.floor(Date.now() / 1000),
      type: 'proc_box.answer',
      appId: 'proc_box',
      ...(reply.correlationId === undefined ? {} : { correlationId: reply.correlationId }),
    };
    return { exchange: this.exchange, routingKey: reply.replyTo, content: Buffer.from(reply.body), options };
  }

  #discardOld(): void {
    const oldestMs = this.nowMs() - AGE_MAX_MS;
    while (this.#waiting[0] !== undefined && this.#waiting[0].atMs < oldestMs) this.#waiting.shift();
  }
}
