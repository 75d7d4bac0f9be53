import type { Outgoing } from '../model/types.js';

/** A queue for the messages of a box: outbox.ts in memory, or spooled-outbox.ts with a spool behind it. */
export interface Queue {
  /** Never blocks, never throws. */
  push(message: Outgoing): void;
  /** Number of unconfirmed messages, and the memory that they take. */
  readonly length: number;
  readonly bytes: number;
  /** Messages given up so far. */
  readonly dropped: number;
  drained(): Promise<void>;
}
