import t from 'tap';
import type { Publisher, SecondChannel } from '../../src/amqp/publisher.js';
import { Lanes } from '../../src/node-link/lanes.js';
import { notingLogger } from '../fixtures/broker.js';

function make(refused: readonly string[] = []) {
  const { log, lines } = notingLogger();
  const lanes = new Lanes({ messageTimeoutMs: 0, log, onLeft: () => {} });
  const channels: SecondChannel[] = [];
  let closed = 0;
  const publisher = {
    publish: () => {},
    ensureExchange: (exchange: string, done: (error?: unknown) => void) =>
      done(refused.includes(exchange) ? new Error('403 "ACCESS_REFUSED - no"') : undefined),
    openSecondChannel: (channel: SecondChannel) => {
      channels.push(channel);
      channel.up(
        () => {},
        () => closed++,
      );
    },
  } as unknown as Publisher;
  return { lanes, channels, publisher, lines, closed: () => closed };
}
const route = (uid: number, exchange = 'own') => ({ uid, exchange, statsKey: 's', eventsKey: 'e' });

t.test('boxes with keys of their own have a channel for each user', async (t) => {
  const { lanes, channels, publisher, closed } = make();
  lanes.attach(publisher, () => {});
  t.equal(lanes.join(undefined).lane, lanes.main);
  const [one, same, other] = [lanes.join(route(1)), lanes.join(route(1)), lanes.join(route(2))];
  t.equal(one.lane, same.lane);
  t.not(one.lane, other.lane);
  t.strictSame([lanes.size, channels.length], [3, 2]);
  one.leave();
  t.equal(closed(), 0);
  same.leave();
  t.strictSame([closed(), lanes.size], [1, 2]);
  lanes.close();
});

t.test('a channel that ends is opened again, and only warned of once', async (t) => {
  const { lanes, publisher, lines } = make(['bad']);
  lanes.attach(publisher, () => t.fail('the connection stays'));
  lanes.join(route(1, 'bad'));
  t.match(lines, [/warn.*ACCESS_REFUSED - no/]);
  lanes.close();
});

t.test('the number of channels is bounded', async (t) => {
  const { lanes, publisher } = make();
  lanes.attach(publisher, () => {});
  for (let uid = 0; uid < 200; uid++) lanes.join(route(uid));
  t.equal(lanes.size, 66);
  lanes.close();
});
