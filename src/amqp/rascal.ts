import type { EventEmitter } from 'node:events';
import rascal from 'rascal';
import type { RascalConfig } from './config.js';
import type { Opened, Session } from './link.js';
import './handshake.js';

/**
 * The part of rascal that is used here, with callbacks: its promises cost a turn of the event loop each, and its own
 * types (@types/rascal 10) lag behind. rascal 21.
 */

export interface Broker extends EventEmitter {
  subscribe(name: string, next: (error: Error | null, session: EventEmitter) => void): void;
  shutdown(next: (error?: Error) => void): void;
  /** An interval that keeps the process alive until a shutdown that succeeds. */
  keepActive?: NodeJS.Timeout;
}

/** A broker object as a session of a link. */
export interface BrokerSession extends Session {
  readonly broker: Broker;
}

export type AckOrNack = (done?: (error?: Error) => void) => void;

type Create = (config: RascalConfig, next: (error: Error | null, broker?: Broker) => void) => void;

/**
 * Makes a broker object with its one connection and topology. rascal's own recovery is off: it can spin, go deaf or
 * hang; link.ts makes a new object instead.
 */
export function openBroker(config: RascalConfig, { made, up, fail }: Opened<BrokerSession>): void {
  (rascal.createBroker as unknown as Create)(config, (error, broker) => {
    if (broker === undefined) return fail(error);
    // rascal: an 'error' without a listener ends the process.
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
    /** rascal's timers and channel pools. */
    release() {
      clearInterval(broker.keepActive);
      try {
        broker.shutdown(() => clearInterval(broker.keepActive));
      } catch {
        // Channels of a dead connection throw IllegalOperationError: there is nothing left to end.
      }
    },
  };
}
