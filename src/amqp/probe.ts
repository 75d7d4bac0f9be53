import { randomHex } from 'cgroup-utils-native';
import { isPredeclared } from './config.js';
import type { Publisher } from './publisher.js';

const INTERVAL_MS = 5_000;
const INTERVAL_MAX_MS = 300_000;

/** The link that consumes the control queue. */
export interface ProbedControl {
  /** Whether the queue is bound, and should get commands now. */
  isBound(): boolean;
  /** Binds the queue again, because it has lost its bindings. */
  rebind(error: Error): void;
  /** Reports that the exchange does not route this box's keys to its queue, although they were bound just now. */
  deaf(): void;
}

/**
 * Checks that commands still reach this box. Deleting an exchange also deletes the bindings of the control queue, which
 * the broker does not report. Once somebody has declared the exchange again, publishing to it works, but commands are
 * lost. So every few seconds the probe publishes a `mandatory` message to this box's own key, which comes back if
 * nothing is bound to the key. Exchanges `amq.*` cannot be deleted and need no probe.
 */
export class Probe {
  /** Message id of all probes. It cannot be guessed; a message with this id is never taken for a command. */
  readonly id = `probe-${randomHex(16)}`;
  readonly #exchange: string;
  readonly #routingKey: string | undefined;
  readonly #control: ProbedControl;
  /** Consecutive messages that came back, each although the queue had just been bound. */
  #returned = 0;
  #cameBack = false;
  #timer: NodeJS.Timeout | undefined;
  #publish: Publisher['publish'] | undefined;
  #publisher: Publisher | undefined;

  /** @param routingKey a key to which nobody else binds a queue; undefined for no probe */
  constructor(exchange: string, routingKey: string | undefined, control: ProbedControl) {
    this.#exchange = exchange;
    this.#routingKey = isPredeclared(exchange) ? undefined : routingKey;
    this.#control = control;
  }

  /** Begins to probe over a connection that has come up. */
  start(publisher: Publisher): void {
    this.stop();
    if (this.#routingKey === undefined) return;
    this.#publisher = publisher;
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#publisher = undefined;
    this.#publish = undefined;
  }

  /** With jitter, so that boxes started together drift apart. The interval grows while binding again does not help. */
  #wait(): void {
    const ms = Math.min(INTERVAL_MS * 2 ** Math.max(0, this.#returned - 1), INTERVAL_MAX_MS);
    this.#timer = setTimeout(() => this.#ask(), ms * (0.75 + Math.random() / 2)).unref();
  }

  #ask(): void {
    const publisher = this.#publisher;
    if (publisher === undefined) return;
    this.#wait();
    if (!this.#control.isBound()) return;
    if (this.#publish !== undefined) return this.#send(this.#publish);
    publisher.openSecondChannel({
      up: (publish) => {
        if (this.#publisher !== publisher) return;
        this.#publish = publish;
        this.#send(publish);
      },
      ended: (error) => {
        if (this.#publisher !== publisher) return;
        this.#publish = undefined;
        if (/NOT_FOUND - no exchange/.test(String(error))) this.#control.rebind(new Error('the exchange was deleted'));
        // The user may not publish to this key, so this connection cannot be used to probe.
        else this.stop();
      },
      returned: () => {
        this.#cameBack = true;
      },
    });
  }

  /** The broker returns an unroutable message before it confirms it. */
  #confirmed(): void {
    this.#returned = this.#cameBack ? this.#returned + 1 : 0;
    if (this.#returned === 0) return;
    // Binding again did not help the last time, and may never help.
    if (this.#returned === 2) this.#control.deaf();
    this.#control.rebind(new Error('the exchange was deleted and declared again'));
  }

  #send(publish: Publisher['publish']): void {
    const options = { mandatory: true, messageId: this.id, expiration: String(INTERVAL_MS), appId: 'proc_box' };
    const exchange = this.#exchange;
    this.#cameBack = false;
    publish({ exchange, routingKey: this.#routingKey as string, content: Buffer.alloc(0), options }, () => {
      if (this.#publish === publish) this.#confirmed();
    });
  }
}
