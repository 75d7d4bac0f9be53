import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import type { Delivery } from '../../src/amqp/message.js';
import { PREFETCH } from '../../src/node-link/control-session.js';
import { Dispatcher } from '../../src/node-link/dispatcher.js';

const delivery = (routingKey: string, exchange = 'x', messageId = 'm'): Delivery => ({
  content: Buffer.alloc(0),
  fields: { exchange, routingKey },
  properties: { messageId },
});
const receiver = () => {
  const got: unknown[] = [];
  return { got, receive: ({ properties }: Delivery) => got.push(properties.messageId) };
};

t.test('a delivery goes to the boxes with its key at its exchange', async (t) => {
  const one = new Dispatcher();
  const [a, b, c] = [receiver(), receiver(), receiver()];
  one.add(a, 'x', ['k', 'k.box.a']);
  one.add(b, 'x', ['k', 'k.box.b']);
  one.add(c, 'y', ['k']);
  let acks = 0;
  for (const key of ['k', 'k.box.b', 'elsewhere']) one.take(delivery(key), () => acks++);
  while (acks < 3) await turn();
  t.strictSame([a.got.length, b.got.length, c.got.length, one.strays], [1, 2, 0, 1]);
  one.remove(b, 'x', ['k', 'k.box.b']);
  one.take(delivery('k'), () => acks++);
  while (acks < 4) await turn();
  t.strictSame([a.got.length, b.got.length], [2, 2]);
});

t.test('a thousand boxes get it in slices, and in order', async (t) => {
  const one = new Dispatcher();
  const boxes = Array.from({ length: 1000 }, receiver);
  for (const box of boxes) one.add(box, 'x', ['k']);
  let acks = 0;
  one.take(delivery('k', 'x', 'm1'), () => acks++);
  one.take(delivery('k', 'x', 'm2'), () => acks++);
  t.ok(boxes.filter(({ got }) => got.length > 0).length < 1000, 'other work has its turn between');
  while (acks < 2) await turn();
  t.ok(boxes.every(({ got }) => got.join() === 'm1,m2'));
});

t.test('a box gets nothing that came before it, here or at the broker', async (t) => {
  const one = new Dispatcher();
  const old = Array.from({ length: 200 }, receiver);
  for (const box of old) one.add(box, 'x', ['k']);
  let tell: (messages: number) => void = () => {};
  one.attach((done) => {
    tell = done;
  });
  let acks = 0;
  for (let n = 0; n < PREFETCH; n++) one.take(delivery('k'), () => acks++);
  const late = receiver();
  one.add(late, 'x', ['k']);
  while (acks < PREFETCH) await turn();
  t.equal(late.got.length, 0);
  tell(2);
  for (const id of ['before', 'before', 'after']) one.take(delivery('k', 'x', id), () => acks++);
  while (acks < PREFETCH + 3) await turn();
  t.strictSame(late.got, ['after']);
  t.equal(old[0]!.got.length, PREFETCH + 3);

  for (let n = 0; n < PREFETCH; n++) one.take(delivery('k'), () => acks++);
  const last = receiver();
  one.add(last, 'x', ['k']);
  one.attach(() => {});
  one.take(delivery('k', 'x', 'new queue'), () => acks++);
  while (acks < 2 * PREFETCH + 4) await turn();
  t.strictSame(last.got, ['new queue'], 'what waited in the old queue is lost');
});
