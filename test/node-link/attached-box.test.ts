import t from 'tap';
import type { CommandHandler } from '../../src/amqp/command-handler.js';
import type { Delivery } from '../../src/amqp/message.js';
import { AttachedBox, type Host } from '../../src/node-link/attached-box.js';
import { BoxQueue, Parcel, User } from '../../src/node-link/box-queue.js';
import { TokenBucket } from '../../src/node-link/token-bucket.js';
import { sample } from '../fixtures/broker.js';

const delivery = (n: number): Delivery => ({ content: Buffer.alloc(10), properties: { messageId: String(n) } });

function make(given?: 'nothing: no login') {
  const calls: string[] = [];
  const acks: (() => void)[] = [];
  const handled: unknown[] = [];
  const givenUp: unknown[] = [];
  const queue = new BoxQueue(new User(1, new TokenBucket(0, 1)), () => ({
    exchange: '',
    routingKey: '',
    content: Buffer.alloc(0),
    options: {},
  }));
  const handler = {
    refused: 3,
    handle: ({ properties }: Delivery, ack: () => void) => {
      handled.push(properties.messageId);
      acks.push(ack);
    },
    giveUp: ({ properties }: Delivery) => givenUp.push(properties.messageId),
  } as unknown as CommandHandler;
  const host = {
    push: (to: BoxQueue, message: Parameters<Host['push']>[1]) => to.wait(new Parcel(message, to, 0)),
    links: () => ({ control: {}, statistics: {} }),
    pointless: () => given,
    leave: () => calls.push('leave'),
    gone: () => calls.push('gone'),
  } as unknown as Host;
  return { box: new AttachedBox(host, queue, handler), queue, calls, acks, handled, givenUp };
}

t.test('commands wait while the handler wants none, in order and bounded', async (t) => {
  const { box, acks, handled, givenUp } = make();
  for (let n = 0; n < 200; n++) box.receive(delivery(n));
  t.strictSame(handled, ['0']);
  while (acks.length > 0) {
    acks.shift()!();
    await new Promise(setImmediate);
  }
  t.strictSame(handled, ['0', ...Array.from({ length: 100 }, (_, n) => String(n + 100))], 'the newest stay');
  t.strictSame(
    givenUp,
    Array.from({ length: 99 }, (_, n) => String(n + 1)),
    'the others are refused',
  );
});

t.test('it leaves at once, and is gone when its last message is', async (t) => {
  const { box, queue, calls } = make();
  box.publish(sample('b', 1));
  t.match(box.state(), { outbox: { messages: 1, dropped: 0 }, refused: 3 });
  t.strictSame(await box.close(0), { undelivered: 1, spooled: null, given: 'time', kept: true });
  t.strictSame(calls, ['leave']);
  queue.forget(queue.hand());
  queue.settle();
  await new Promise(setImmediate);
  t.strictSame(calls, ['leave', 'gone']);
  box.publish(sample('b', 2));
  t.equal(box.dropped, 1, 'nobody would send it');
});

t.test('it does not wait where that is of no use', async (t) => {
  const { box } = make('nothing: no login');
  box.publish(sample('b', 1));
  t.match(await box.close(60_000), { undelivered: 1, given: 'nothing: no login' });
});
