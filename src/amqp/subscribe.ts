import type { CommandHandler } from './command-handler.js';
import type { Delivery } from './message.js';
import type { AckOrNack, Broker } from './rascal.js';

/** Begins to take commands. `fail` is called when that ends, `done` once it has begun. */
export function subscribe(
  broker: Broker,
  handler: CommandHandler,
  probeId: string,
  fail: (error: unknown) => void,
  done: () => void,
): void {
  broker.subscribe('commands', (error, session) => {
    if (error) return fail(error);
    session.on('error', fail);
    session.on('cancel', fail);
    session.on('close', () => fail(new Error('the channel was closed')));
    session.on('subscribed', done);
    // What rascal stumbles over comes here; without these listeners it would be an error of the connection.
    for (const event of ['invalid_content', 'redeliveries_error', 'redeliveries_exceeded']) {
      session.on(event, (_: Error, message: Delivery, ack: AckOrNack) => handler.handle(message, ack));
    }
    // With this listener rascal begins to consume.
    session.on('message', (message: Delivery, _content: unknown, ack: AckOrNack) => {
      if (message.properties.messageId === probeId) ack(() => {});
      else handler.handle(message, ack);
    });
  });
}
