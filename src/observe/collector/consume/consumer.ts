import { Link, type LinkState } from '../../../amqp/link.js';
import type { LinkTimes } from '../../../amqp/link-times.js';
import type { Logger } from '../../../log.js';
import type { BoxSpec } from '../../../options/spec.js';
import type { Delivered } from './intake.js';
import { openQueue, type QueueOptions, type QueueSession } from './queue.js';

/** Consumes the queue for as long as the collector lives, through outages of the broker. */

const HEARTBEAT_SEC = 30;
const ATTEMPT_MS = 30_000;
const WAIT_MAX_MS = 15_000;
const TIMES: LinkTimes = {
  attemptMs: () => ATTEMPT_MS,
  readyMs: 60_000,
  waitMs: (rounds) => Math.min(WAIT_MAX_MS, 200 * 2 ** Math.min(rounds - 1, 10)),
};

export interface ConsumerOptions extends QueueOptions {
  readonly spec: Pick<BoxSpec, 'uris' | 'exchange' | 'rascalConfig'>;
  readonly host: string;
  readonly take: (delivered: Delivered) => void;
  readonly log: Logger;
}

export interface Consumer {
  /** Resolves once it consumes for the first time: from then on the queue is there, and keeps what is published. */
  readonly began: Promise<void>;
  readonly state: LinkState;
  close(graceMs: number): Promise<void>;
}

export function startConsumer(options: ConsumerOptions): Consumer {
  const { spec, host, take, log } = options;
  let begin = () => {};
  const began = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const link = new Link<QueueSession>({
    name: 'statistics',
    uris: spec.uris,
    request: {
      exchange: spec.exchange,
      connectionName: `proc_box collector on ${host}`,
      site: spec.rascalConfig ?? {},
      heartbeatSec: HEARTBEAT_SEC,
    },
    open: (request, opened) => openQueue(request, options, opened),
    up: (session, _fail, done) =>
      session.consume(take, () => {
        begin();
        done();
      }),
    down: () => {},
    remedy: 'trying again; messages wait in the broker',
    times: TIMES,
    log,
  });
  link.start();
  return {
    began,
    get state() {
      return link.state;
    },
    close: (graceMs) => link.close(graceMs),
  };
}
