import { Link } from '../../../amqp/link.js';
import { openPublisher, type Publisher } from '../../../amqp/publisher.js';
import type { Logger } from '../../../log.js';
import type { BoxSpec } from '../../../options/spec.js';
import type { Publish } from './deliver.js';

/** Publishes alerts to the exchange, on a connection of their own, so that an alarm of the broker does not block consuming. */

const CONFIRM_MS = 10_000;

export interface AlertLink {
  readonly publish: Publish;
  close(graceMs: number): Promise<void>;
}

export function alertLink(
  spec: Pick<BoxSpec, 'uris' | 'exchange' | 'rascalConfig'>,
  host: string,
  log: Logger,
): AlertLink {
  let publisher: Publisher | null = null;
  const link = new Link<Publisher>({
    name: 'alerts',
    uris: spec.uris,
    request: {
      exchange: spec.exchange,
      connectionName: `proc_box collector alerts on ${host}`,
      site: spec.rascalConfig ?? {},
    },
    open: openPublisher,
    up: (session, _fail, done) => {
      publisher = session;
      done();
    },
    down: () => {
      publisher = null;
    },
    log,
  });
  link.start();
  return {
    close: (graceMs) => link.close(graceMs),
    publish: (routingKey, body) =>
      new Promise((resolve, reject) => {
        if (publisher === null) return reject(new Error('not connected to the broker'));
        const timer = setTimeout(() => reject(new Error('the broker did not confirm it in time')), CONFIRM_MS);
        const message = {
          exchange: spec.exchange,
          routingKey,
          content: Buffer.from(body),
          options: { contentType: 'application/json', type: 'proc_box.alert', appId: 'proc_box', persistent: true },
        };
        publisher.publish(message, (sent) => {
          clearTimeout(timer);
          if (sent === 'confirmed') resolve();
          else reject(new Error('the broker refused it'));
        });
      }),
  };
}
