import type * as Amqp from '../amqp/index.js';
import type * as Signed from '../amqp/signed.js';
import type { Box } from '../box/box.js';
import { describeError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Outgoing } from '../model/types.js';
import { duration } from '../options/amounts.js';
import type { BoxSpec } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import type { Listener } from './create-box.js';

/** Load the bundles that only a box with a broker needs. */
export interface BrokerLoaders {
  /** Loads rascal and the rest of src/amqp; called after the job has started. */
  readonly loadAmqp: () => typeof Amqp;
  /** Loads the check of signatures. */
  readonly loadSigned: () => typeof Signed;
  readonly loadSpool: () => typeof Spool;
  /** Attaches the box to a link that the process already has, instead of making one for this box. */
  readonly attach?: (box: Box) => Amqp.BrokerLink;
}

export interface Broker extends Listener {
  /** Begins to connect. Call this once the job has started. */
  connect(box: Box): void;
  /** Waits at most this long for the broker to confirm what is left, and logs what it did not get. Never rejects. */
  close(flushMs: number): Promise<void>;
}

/** The broker is optional, and its bundle is loaded after the job has started. Until then messages wait here. */
export function createBroker(spec: BoxSpec, log: Logger, load: BrokerLoaders): Broker {
  const hasBroker = spec.uris.length > 0 || load.attach !== undefined;
  const waiting: Outgoing[] = [];
  let link: Amqp.BrokerLink | undefined;
  let loaded: Promise<void> = Promise.resolve();
  return {
    publish(message: Outgoing): void {
      if (link !== undefined) link.publish(message);
      else if (hasBroker) waiting.push(message);
    },
    /** Without a link there are no commands to audit. */
    audit: (event: Parameters<Amqp.BrokerLink['audit']>[0]) => link?.audit(event),
    dropped: () => link?.dropped ?? 0,
    state: () => link?.state() ?? null,
    connect(box: Box): void {
      if (!hasBroker) return;
      loaded = new Promise((resolve) => {
        setImmediate(() => {
          try {
            link = load.attach?.(box) ?? load.loadAmqp().connectBroker(spec, box, log, load.loadSigned, load.loadSpool);
            for (const message of waiting.splice(0)) link.publish(message);
          } catch (error) {
            log.error(`the box goes on without remote control and statistics: ${describeError(error, spec.debug)}`);
          }
          resolve();
        });
      });
    },
    async close(flushMs: number): Promise<void> {
      await loaded;
      const { undelivered = 0, spooled = null, given = 'time', kept = false } = (await link?.close(flushMs)) ?? {};
      // The absence of the default broker was logged when the job began.
      if (undelivered === 0 || given === 'nothing: not asked') return;
      const within = given === 'time' ? ` within ${duration(flushMs)}` : ': the broker refused the login';
      const late = `${undelivered} messages were not delivered${within}; `;
      if (kept) log.info(`${late}the node's link goes on trying`);
      else if (spooled === null && given !== 'time') log.warn(`${late}the box did not wait for it at its end`);
      else if (spooled === null) log.warn(`${late}--flush sets how long a box waits for the broker at its end`);
      else log.warn(`${late}they are in ${spooled}: the next box of this user or "proc_box spool flush" delivers them`);
    },
  };
}
