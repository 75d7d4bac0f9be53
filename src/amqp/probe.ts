import { randomHex } from 'cgroup-utils-native';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { isPredeclared } from './config.js';
import { boxKey } from './keys.js';
import type { Publisher } from './publisher.js';

/**
 * Whether commands still find the way to this box. An exchange that is deleted takes the bindings of the control queue
 * with it, and nobody is told; when somebody has made it anew, publishing to it works and commands are lost. So every
 * few seconds a message goes to this box's own key, which comes back where nothing is bound to it. Only exchanges that
 * can be deleted need that: `amq.*` cannot.
 */
const INTERVAL_MS = 5_000;
const INTERVAL_MAX_MS = 300_000;

/** The link that consumes the control queue. */
export interface ProbedControl {
  /** Its queue should get commands now. */
  isBound(): boolean;
  /** The queue has lost its bindings. */
  rebind(error: Error): void;
  /** The exchange does not route this box's keys to its queue, although they were bound just now. */
  deaf(): void;
}

export class Probe {
  /** Message id of all its messages: whoever forges it has a message that is ignored. */
  readonly id = `probe-${randomHex(16)}`;
  readonly #spec: BoxSpec;
  readonly #routingKey: string | undefined;
  readonly #control: ProbedControl;
  /** Messages in a row that came back, each from a queue that had just been bound. */
  #returned = 0;
  #cameBack = false;
  #timer: NodeJS.Timeout | undefined;
  #publish: Publisher['publish'] | undefined;
  #publisher: Publisher | undefined;

  constructor(spec: BoxSpec, identity: JobIdentity, control: ProbedControl) {
    this.#spec = spec;
    this.#routingKey = isPredeclared(spec.exchange) ? undefined : boxKey(spec.routingKeys, identity);
    this.#control = control;
  }

  /** A connection is up. */
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

  /** With jitter: boxes that were started together do not ask together for ever. Ever later where binding does not help. */
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
        // Not permitted: then there is no asking on this connection.
        else this.stop();
      },
      returned: () => {
        this.#cameBack = true;
      },
    });
  }

  /** The broker hands a message back before it confirms it. */
  #confirmed(): void {
    this.#returned = this.#cameBack ? this.#returned + 1 : 0;
    if (this.#returned === 0) return;
    // Binding anew did not help the last time, and may not help the next time either.
    if (this.#returned === 2) this.#control.deaf();
    this.#control.rebind(new Error('the exchange was deleted and made anew'));
  }

  #send(publish: Publisher['publish']): void {
    const options = { mandatory: true, messageId: this.id, expiration: String(INTERVAL_MS), appId: 'proc_box' };
    const { exchange } = this.#spec;
    this.#cameBack = false;
    publish({ exchange, routingKey: this.#routingKey as string, content: Buffer.alloc(0), options }, () => {
      if (this.#publish === publish) this.#confirmed();
    });
  }
}
