import type { Broker } from './rascal.js';

/**
 * Answers to commands. They go to the default exchange on a channel of their own, so they do not wait behind the
 * outbox; without confirms: an operator who misses an answer sends the command again under the same message id, and
 * gets the same answer. Bounded in number and in age.
 */

export interface Reply {
  readonly replyTo: string;
  readonly correlationId: string | undefined;
  readonly messageId: string;
  readonly body: string;
}

const WAITING_MAX = 1000;
const AGE_MAX_MS = 10_000;

export class Replies {
  #waiting: { readonly reply: Reply; readonly atMs: number }[] = [];
  #broker: Broker | null = null;
  #blocked = false;
  #busy = false;
  #idle: (() => void)[] = [];
  #lost = 0;

  constructor(readonly nowMs: () => number = () => performance.now()) {}

  /** Answers that could not be sent in time. */
  get lost(): number {
    return this.#lost;
  }

  push(reply: Reply): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting.shift();
      this.#lost++;
    }
    this.#waiting.push({ reply, atMs: this.nowMs() });
    this.#pump();
  }

  attach(broker: Broker): void {
    this.#broker = broker;
    this.#blocked = false;
    this.#busy = false;
    this.#pump();
  }

  detach(): void {
    this.#broker = null;
    this.#busy = false;
  }

  setBlocked(blocked: boolean): void {
    this.#blocked = blocked;
    if (!blocked) this.#pump();
  }

  /** Resolves when every answer has been handed to the connection, or is too old. */
  flushed(): Promise<void> {
    this.#discardOld();
    if (this.#waiting.length === 0 && !this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    if (this.#broker === null || this.#blocked || this.#busy) return;
    this.#discardOld();
    const next = this.#waiting.shift();
    if (next === undefined) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#busy = true;
    const broker = this.#broker;
    this.#publish(broker, next.reply, () => {
      if (this.#broker !== broker) return;
      this.#busy = false;
      this.#pump();
    });
  }

  #publish(broker: Broker, reply: Reply, ended: () => void): void {
    const options = {
      contentType: 'application/json',
      messageId: reply.messageId,
      timestamp: Math.floor(Date.now() / 1000),
      type: 'proc_box.answer',
      appId: 'proc_box',
      ...(reply.correlationId === undefined ? {} : { correlationId: reply.correlationId }),
    };
    let open = true;
    const once = () => {
      if (open) ended();
      open = false;
    };
    broker.publish('replies', Buffer.from(reply.body), { routingKey: reply.replyTo, options }, (error, session) => {
      if (error) return once();
      session.on('success', once);
      session.on('error', once);
      session.on('close', once);
    });
  }

  #discardOld(): void {
    const oldestMs = this.nowMs() - AGE_MAX_MS;
    while (this.#waiting[0] !== undefined && this.#waiting[0].atMs < oldestMs) {
      this.#waiting.shift();
      this.#lost++;
    }
  }
}
