import type { CommandHandler } from './command-handler.js';
import type { Delivery } from './message.js';
import type { AckOrNack, Broker } from './rascal.js';

/** Begins to consume commands. Calls `done` once it has begun, and `fail` when it ends. */
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
    // rascal reports messages that it cannot handle here; without these listeners it would fail the connection.
    for (const event of ['invalid_content', 'redeliveries_error', 'redeliveries_exceeded']) {
      session.on(event, (_: Error, message: Delivery, ack: AckOrNack) => handler.handle(message, ack));
    }
    // rascal begins to consume when this listener is added.
    session.on('message', (message: Delivery, _content: unknown, ack: AckOrNack) => {
      if (message.properties.messageId === probeId) ack(() => {});
      else handler.handle(message, ack);
    });
  });
}
