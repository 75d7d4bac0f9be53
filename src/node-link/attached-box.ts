import type { BrokerLink, BrokerState, Closed } from '../amqp/box-link.js';
import type { CommandHandler } from '../amqp/command-handler.js';
import type { Delivery } from '../amqp/message.js';
import { within } from '../amqp/within.js';
import type { CommandEvent, EventHead } from '../model/event.js';
import type { Outgoing } from '../model/types.js';
import type { BoxQueue } from './box-queue.js';
import type { Receiver } from './dispatcher.js';

/** Commands that wait because the box has too many without an answer. Beyond that the oldest is refused. */
const HELD_MAX = 100;
const HELD_MAX_BYTES = 1024 * 1024;

/** What a box needs of its node's link. */
export interface Host {
  push(queue: BoxQueue, message: Outgoing): void;
  audit(event: EventHead & CommandEvent): void;
  links(): Pick<BrokerState, 'control' | 'statistics'>;
  /** Why waiting for the broker is of no use; undefined if it is of use. */
  pointless(): Exclude<Closed['given'], 'time'> | undefined;
  /** The box takes no more commands. */
  leave(): void;
  /** The last message of the box has left. */
  gone(): void;
}

/** One box on the link of its node. */
export class AttachedBox implements BrokerLink, Receiver {
  readonly #host: Host;
  readonly #queue: BoxQueue;
  readonly #handler: CommandHandler;
  /** The handler wants no more commands for now. */
  #busy = false;
  #held: Delivery[] = [];
  #heldBytes = 0;
  #lost = 0;
  #closed: Promise<Closed> | undefined;
  #isGone = false;

  constructor(host: Host, queue: BoxQueue, handler: CommandHandler) {
    this.#host = host;
    this.#queue = queue;
    this.#handler = handler;
  }

  publish(message: Outgoing): void {
    // The queue has gone with its last message, so nobody would ever send this one.
    if (this.#isGone) this.#lost++;
    else this.#host.push(this.#queue, message);
  }

  audit(event: EventHead & CommandEvent): void {
    this.#host.audit(event);
  }

  get dropped(): number {
    return this.#queue.dropped + this.#lost;
  }

  state(): BrokerState {
    const { length, bytes } = this.#queue;
    return {
      ...this.#host.links(),
      outbox: { messages: length, bytes, dropped: this.dropped },
      refused: this.#handler.refused,
    };
  }

  /** A handler that has too much to do delays the acknowledgement. Other boxes must not wait for that. */
  receive(delivery: Delivery): void {
    if (this.#busy) this.#hold(delivery);
    else this.#handle(delivery);
  }

  close(deadlineMs: number): Promise<Closed> {
    this.#closed ??= this.#close(deadlineMs);
    return this.#closed;
  }

  async #close(deadlineMs: number): Promise<Closed> {
    this.#host.leave();
    this.#held = [];
    const drained = this.#queue.drained();
    void drained.then(() => {
      this.#isGone = true;
      this.#host.gone();
    });
    const pointless = this.#host.pointless();
    await within(pointless === undefined ? deadlineMs : 0, drained);
    const undelivered = this.#queue.length;
    return { undelivered, spooled: null, given: pointless ?? 'time', ...(undelivered > 0 && { kept: true }) };
  }

  #handle(delivery: Delivery): void {
    this.#busy = true;
    this.#handler.handle(delivery, () => {
      this.#busy = false;
      const next = this.#held.shift();
      if (next === undefined) return;
      this.#heldBytes -= sizeOf(next);
      // Deferred, since the handler may be in the middle of another command.
      this.#busy = true;
      setImmediate(() => this.#handle(next));
    });
  }

  #hold(delivery: Delivery): void {
    this.#held.push(delivery);
    this.#heldBytes += sizeOf(delivery);
    while (this.#held.length > HELD_MAX || this.#heldBytes > HELD_MAX_BYTES) {
      const oldest = this.#held.shift()!;
      this.#heldBytes -= sizeOf(oldest);
      this.#handler.giveUp(oldest);
    }
  }
}

function sizeOf({ content }: Delivery): number {
  return content instanceof Uint8Array ? content.byteLength : 0;
}
