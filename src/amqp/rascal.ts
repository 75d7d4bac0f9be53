import type { EventEmitter } from 'node:events';
import rascal from 'rascal';
import type { RascalConfig } from './config.js';
import type { Opened, Session } from './link.js';
import './handshake.js';

/**
 * Types for the part of rascal 21 that we use. @types/rascal 10 is out of date. We use callbacks, because each of
 * rascal's promises costs a turn of the event loop.
 */

export interface Broker extends EventEmitter {
  subscribe(name: string, next: (error: Error | null, session: EventEmitter) => void): void;
  shutdown(next: (error?: Error) => void): void;
  /** An interval that keeps the process alive until a shutdown succeeds. */
  keepActive?: NodeJS.Timeout;
}

/** A session of a link that holds a broker object of rascal. */
export interface BrokerSession extends Session {
  readonly broker: Broker;
}

export type AckOrNack = (done?: (error?: Error) => void) => void;

type Create = (config: RascalConfig, next: (error: Error | null, broker?: Broker) => void) => void;

/**
 * Makes a broker object with its one connection and topology. rascal's own recovery is off, because it can spin, stop
 * consuming, or hang; link.ts makes a new object instead.
 */
export function openBroker(config: RascalConfig, { made, up, fail }: Opened<BrokerSession>): void {
  (rascal.createBroker as unknown as Create)(config, (error, broker) => {
    if (broker === undefined) return fail(error);
    // Without a listener, an 'error' event would end the process.
    broker.on('error', fail);
    broker.on('disconnect', () => setImmediate(fail, new Error('Unexpected close')));
    const session = sessionOf(broker);
    made(session);
    if (error) fail(error);
    else up(session);
  });
}

function sessionOf(broker: Broker): BrokerSession {
  return {
    broker,
    close: (done) => broker.shutdown(() => done()),
    /** Stops rascal's timers and channel pools. */
    release() {
      clearInterval(broker.keepActive);
      try {
        broker.shutdown(() => clearInterval(broker.keepActive));
      } catch {
        // IllegalOperationError: the connection is dead, so there is nothing left to end.
      }
    },
  };
}
