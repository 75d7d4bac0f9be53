import { EventEmitter } from 'node:events';
import t from 'tap';
import type { CommandHandler } from '../../src/amqp/command-handler.js';
import type { Broker } from '../../src/amqp/rascal.js';
import { subscribe } from '../../src/amqp/subscribe.js';

function subscribed(refusal: Error | null = null) {
  const session = new EventEmitter();
  const events: string[] = [];
  const broker = {
    subscribe: (name: string, next: (error: Error | null, session: EventEmitter) => void) => {
      events.push(name);
      next(refusal, session);
    },
  } as unknown as Broker;
  const handler = { handle: () => events.push('handled') } as unknown as CommandHandler;
  const fail = (error: unknown) => events.push(`failed: ${(error as Error).message}`);
  subscribe(broker, handler, 'probe-1', fail, () => events.push('done'));
  return { session, events };
}

const message = (messageId: string) => ({ properties: { messageId } });

t.test('commands are handled, and our own probe is only acknowledged', async (t) => {
  const { session, events } = subscribed();
  session.emit('subscribed');
  session.emit('message', message('m'), {}, () => events.push('acknowledged'));
  session.emit('message', message('probe-1'), {}, () => events.push('acknowledged'));
  t.strictSame(events, ['commands', 'done', 'handled', 'acknowledged']);
});

t.test('what rascal stumbles over is handled like any other message', async (t) => {
  const { session, events } = subscribed();
  for (const event of ['invalid_content', 'redeliveries_error', 'redeliveries_exceeded'])
    session.emit(event, new Error('x'), message('m'), () => {});
  t.strictSame(events.slice(1), ['handled', 'handled', 'handled']);
});

t.test('every end of it is told', async (t) => {
  t.strictSame(subscribed(new Error('no queue')).events, ['commands', 'failed: no queue']);
  const { session, events } = subscribed();
  session.emit('error', new Error('e'));
  session.emit('cancel', new Error('c'));
  session.emit('close');
  t.strictSame(events.slice(1), ['failed: e', 'failed: c', 'failed: the channel was closed']);
});
