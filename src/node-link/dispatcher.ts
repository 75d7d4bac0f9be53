import type { Delivery } from '../amqp/message.js';
import { PREFETCH } from './control-session.js';

/** A box that takes commands. */
export interface Receiver {
  receive(delivery: Delivery): void;
}

interface Member {
  /** Deliveries up to this one came before the box. */
  since: number;
}

interface Arrival {
  readonly delivery: Delivery;
  readonly number: number;
  readonly ack: () => void;
  readonly connection: Open;
}

/** Deliveries of one connection that are not acknowledged. */
interface Open {
  count: number;
}

/** Boxes that get a delivery before other work of the event loop has its turn. */
const SLICE = 64;

/**
 * Gives each delivery to the boxes with its key, in the order of the deliveries. A box gets nothing that was sent before
 * it was there: neither what has arrived and waits here, nor what waits in the queue of the broker.
 */
export class Dispatcher {
  readonly #byExchange = new Map<string, Map<string, Set<Receiver>>>();
  readonly #members = new Map<Receiver, Member>();
  readonly #newcomers = new Set<Receiver>();
  #arrivals: Arrival[] = [];
  #arrived = 0;
  #running = false;
  #open: Open = { count: 0 };
  #ask: ((done: (messages: number) => void) => void) | undefined;
  #asking = false;
  #strays = 0;

  /** Deliveries with a key of no box, which the broker can only have got by a detour, or for a box that has ended. */
  get strays(): number {
    return this.#strays;
  }

  /** There is a new queue. @param waiting tells how many messages wait in it */
  attach(waiting: (done: (messages: number) => void) => void): void {
    this.#ask = waiting;
    this.#asking = false;
    this.#open = { count: 0 };
    // What waited for the last queue is lost with it.
    for (const receiver of this.#newcomers) this.#members.get(receiver)!.since = this.#arrived;
    this.#newcomers.clear();
  }

  detach(): void {
    this.#ask = undefined;
  }

  add(receiver: Receiver, exchange: string, keys: readonly string[]): void {
    const mayWait = this.#ask !== undefined && this.#open.count >= PREFETCH;
    this.#members.set(receiver, { since: mayWait ? Number.POSITIVE_INFINITY : this.#arrived });
    const byKey = this.#byExchange.get(exchange) ?? new Map<string, Set<Receiver>>();
    this.#byExchange.set(exchange, byKey);
    for (const key of keys) {
      const receivers = byKey.get(key);
      if (receivers === undefined) byKey.set(key, new Set([receiver]));
      else receivers.add(receiver);
    }
    if (!mayWait) return;
    this.#newcomers.add(receiver);
    this.#askBroker();
  }

  remove(receiver: Receiver, exchange: string, keys: readonly string[]): void {
    this.#members.delete(receiver);
    this.#newcomers.delete(receiver);
    const byKey = this.#byExchange.get(exchange);
    for (const key of keys) {
      const receivers = byKey?.get(key);
      receivers?.delete(receiver);
      if (receivers?.size === 0) byKey!.delete(key);
    }
    if (byKey?.size === 0) this.#byExchange.delete(exchange);
  }

  take(delivery: Delivery, ack: () => void): void {
    this.#open.count++;
    this.#arrivals.push({ delivery, number: ++this.#arrived, ack, connection: this.#open });
    if (this.#running) return;
    this.#running = true;
    this.#next();
  }

  #next(): void {
    const arrival = this.#arrivals.shift();
    if (arrival === undefined) {
      this.#running = false;
      return;
    }
    const { exchange, routingKey } = arrival.delivery.fields ?? {};
    const receivers = this.#byExchange.get(String(exchange))?.get(String(routingKey));
    if (receivers === undefined) this.#strays++;
    this.#give(arrival, [...(receivers ?? [])], 0);
  }

  /** In slices, since a key may be that of a thousand boxes. */
  #give(arrival: Arrival, receivers: readonly Receiver[], from: number): void {
    const to = from + SLICE;
    for (const receiver of receivers.slice(from, to)) {
      if ((this.#members.get(receiver)?.since ?? Number.POSITIVE_INFINITY) < arrival.number) {
        receiver.receive(arrival.delivery);
      }
    }
    if (to < receivers.length) {
      setImmediate(() => this.#give(arrival, receivers, to));
      return;
    }
    arrival.connection.count--;
    arrival.ack();
    if (this.#arrivals.length > 0) setImmediate(() => this.#next());
    else this.#running = false;
  }

  #askBroker(): void {
    const ask = this.#ask;
    if (this.#asking || ask === undefined) return;
    this.#asking = true;
    // Those who come while the broker is asked need a question of their own.
    const asked = [...this.#newcomers];
    ask((messages) => {
      if (this.#ask !== ask) return;
      this.#asking = false;
      for (const receiver of asked) {
        const member = this.#newcomers.delete(receiver) ? this.#members.get(receiver) : undefined;
        if (member !== undefined) member.since = this.#arrived + messages;
      }
      if (this.#newcomers.size > 0) this.#askBroker();
    });
  }
}
