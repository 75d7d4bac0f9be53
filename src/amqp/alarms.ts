import type { Logger } from '../log.js';
import type { Publisher } from './publisher.js';

/** Logs the alarms of the broker, in which it takes no messages. @param set tells whether there is one */
export function watchAlarms(publisher: Publisher, log: Logger, set: (blocked: boolean) => void): void {
  publisher.on('blocked', () => {
    log.warn('statistics: the broker takes no messages now (memory or disk alarm); they wait in the outbox');
    set(true);
  });
  publisher.on('unblocked', () => {
    log.info('statistics: the broker takes messages again');
    set(false);
  });
}
