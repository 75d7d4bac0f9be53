import { randomHex } from 'cgroup-utils-native';
import type { BoxSpec, JobIdentity } from '../spec/spec.js';
import { isPredeclared } from './config.js';
import { keySegment } from './keys.js';
import type { Publisher } from './publisher.js';

/**
 * Whether commands still find the way to this box. An exchange that is deleted takes the bindings of the control queue
 * with it, and nobody is told; when somebody has made it anew, publishing to it works and commands are lost. So every
 * few seconds a message goes to this box's own key, which comes back where nothing is bound to it. Only exchanges that
 * can be deleted need that: `amq.*` cannot.
 */
const INTERVAL_MS = 5_000;

export class Probe {
  /** Message id of all its messages: whoever forges it has a message that is ignored. */
  readonly id = `probe-${randomHex(16)}`;
  readonly #spec: BoxSpec;
  readonly #routingKey: string | undefined;
  readonly #unbound: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  #publish: Publisher['publish'] | undefined;
  #publisher: Publisher | undefined;

  /** @param unbound called when the control queue has lost its bindings */
  constructor(spec: BoxSpec, { box }: JobIdentity, unbound: (error: Error) => void) {
    const [key] = spec.routingKeys;
    this.#spec = spec;
    this.#routingKey = key === undefined || isPredeclared(spec.exchange) ? undefined : `${key}.box.${keySegment(box)}`;
    this.#unbound = unbound;
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

  /** With jitter: boxes that were started together do not ask together for ever. */
  #wait(): void {
    this.#timer = setTimeout(() => this.#ask(), INTERVAL_MS * (0.75 + Math.random() / 2)).unref();
  }

  #ask(): void {
    const publisher = this.#publisher;
    if (publisher === undefined) return;
    this.#wait();
    if (this.#publish !== undefined) return this.#send(this.#publish);
    publisher.openBeside({
      up: (publish) => {
        if (this.#publisher !== publisher) return;
        this.#publish = publish;
        this.#send(publish);
      },
      ended: (error) => {
        if (this.#publisher !== publisher) return;
        this.#publish = undefined;
        if (/NOT_FOUND - no exchange/.test(String(error))) this.#unbound(new Error('the exchange was deleted'));
        // Not permitted: then there is no asking on this connection.
        else this.stop();
      },
      returned: () => this.#unbound(new Error('the exchange was deleted and made anew')),
    });
  }

  #send(publish: Publisher['publish']): void {
    const options = { mandatory: true, messageId: this.id, expiration: String(INTERVAL_MS), appId: 'proc_box' };
    const { exchange } = this.#spec;
    publish({ exchange, routingKey: this.#routingKey as string, content: Buffer.alloc(0), options }, () => {});
  }
}
