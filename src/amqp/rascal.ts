import type { EventEmitter } from 'node:events';
import rascal from 'rascal';
import type { RascalConfig } from './config.js';

/**
 * The part of rascal that is used here, with callbacks: its promises cost a turn of the event loop each, and its own
 * types (@types/rascal 10) lag behind. rascal 21.
 */

export interface Broker extends EventEmitter {
  publish(
    name: string,
    content: Buffer,
    overrides: object,
    next: (error: Error | null, session: EventEmitter) => void,
  ): void;
  subscribe(name: string, next: (error: Error | null, session: EventEmitter) => void): void;
  shutdown(next: (error?: Error) => void): void;
  /** An interval that keeps the process alive until a shutdown that succeeds. */
  keepActive?: NodeJS.Timeout;
}

export type AckOrNack = (done?: (error?: Error) => void) => void;

type Create = (config: RascalConfig, next: (error: Error | null, broker?: Broker) => void) => void;

/** Makes a broker object with its one connection and topology; `next` may get an error and a broker together. */
export const createBroker: Create = (config, next) => (rascal.createBroker as unknown as Create)(config, next);
