import { isPredeclared } from '../amqp/config.js';
import type { Delivery } from '../amqp/message.js';
import { Probe } from '../amqp/probe.js';
import type { Publisher } from '../amqp/publisher.js';

/** What probes need of the link that takes commands. */
export interface ProbedBindings {
  want(exchange: string, key: string): void;
  release(exchange: string, key: string): void;
  isBound(): boolean;
  rebind(exchange: string): void;
  /** The exchange does not route the node's keys to its queue, although they were bound just now. */
  deaf(exchange: string): void;
}

interface Entry {
  readonly probe: Probe;
  readonly key: string;
  boxes: number;
}

/** One probe for each exchange that somebody could delete, however many boxes use it. */
export class Probes {
  readonly #entries = new Map<string, Entry>();
  #publisher: Publisher | undefined;

  /** @param node a segment that no other queue is bound with */
  constructor(
    readonly node: string,
    readonly bindings: ProbedBindings,
  ) {}

  /** One more box uses the exchange. @param routingKey one of its keys K, if it has one */
  add(exchange: string, routingKey: string | undefined): void {
    if (routingKey === undefined || isPredeclared(exchange)) return;
    const present = this.#entries.get(exchange);
    if (present !== undefined) {
      present.boxes++;
      return;
    }
    const key = `${routingKey}.box.${this.node}`;
    const probe = new Probe(exchange, key, {
      isBound: () => this.bindings.isBound(),
      rebind: () => this.bindings.rebind(exchange),
      deaf: () => this.bindings.deaf(exchange),
    });
    this.#entries.set(exchange, { probe, key, boxes: 1 });
    this.bindings.want(exchange, key);
    if (this.#publisher !== undefined) probe.start(this.#publisher);
  }

  remove(exchange: string, routingKey: string | undefined): void {
    const entry = routingKey === undefined ? undefined : this.#entries.get(exchange);
    if (entry === undefined || --entry.boxes > 0) return;
    entry.probe.stop();
    this.#entries.delete(exchange);
    this.bindings.release(exchange, entry.key);
  }

  isProbe({ fields, properties }: Delivery): boolean {
    const entry = this.#entries.get(String(fields?.exchange));
    return entry !== undefined && entry.probe.id === properties.messageId;
  }

  start(publisher: Publisher): void {
    this.#publisher = publisher;
    for (const { probe } of this.#entries.values()) probe.start(publisher);
  }

  stop(): void {
    this.#publisher = undefined;
    for (const { probe } of this.#entries.values()) probe.stop();
  }
}
