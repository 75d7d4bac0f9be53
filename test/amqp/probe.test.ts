import t, { type Test } from 'tap';
import { Probe } from '../../src/amqp/probe.js';
import type { Publication, Publisher, SecondChannel } from '../../src/amqp/publisher.js';
import { virtualTime } from '../fixtures/virtual-time.js';

/** A little more than the longest wait for the next message. */
const LONGEST_MS = 5_000 * 1.25 + 1;

function probe(t: Test, exchange = 'hpc') {
  const time = virtualTime(t);
  const events: string[] = [];
  let bound = true;
  const one = new Probe(exchange, 'k.box.b1', {
    isBound: () => bound,
    rebind: ({ message }) => events.push(message),
    deaf: () => events.push('deaf'),
  });
  const besides: SecondChannel[] = [];
  const publisher = { openSecondChannel: (beside: SecondChannel) => besides.push(beside) } as unknown as Publisher;
  const sent: { readonly message: Publication; readonly confirm: () => void }[] = [];
  const up = () =>
    besides.at(-1)!.up(
      (message, done) => sent.push({ message, confirm: () => done('confirmed') }),
      () => {},
    );
  /** The next message comes back, or not, and is confirmed. */
  const asks = async (comesBack: boolean, waitMs = LONGEST_MS) => {
    const before = sent.length;
    await time.advance(waitMs);
    if (sent.length === before) return;
    if (comesBack) besides.at(-1)!.returned!();
    sent.at(-1)!.confirm();
  };
  return {
    time,
    one,
    events,
    publisher,
    besides,
    sent,
    up,
    asks,
    bind: (now: boolean) => {
      bound = now;
    },
  };
}

t.test('an exchange of the broker itself cannot go, so nobody asks', async (t) => {
  const { time, one, publisher, besides } = probe(t, 'amq.topic');
  one.start(publisher);
  await time.advance(60_000);
  t.equal(besides.length, 0);
  t.equal(time.armed(), 0);
});

t.test("a message to the box's own key is sent every few seconds", async (t) => {
  const { time, one, publisher, besides, sent, up } = probe(t);
  one.start(publisher);
  await time.advance(LONGEST_MS);
  t.equal(besides.length, 1);
  up();
  t.match(sent, [
    {
      message: {
        exchange: 'hpc',
        routingKey: /^k\..*b1$/,
        options: { mandatory: true, messageId: one.id, expiration: '5000' },
      },
    },
  ]);
  await time.advance(LONGEST_MS);
  t.equal(besides.length, 1, 'over the same channel');
  t.ok(sent.length >= 2);
  one.stop();
  t.equal(time.armed(), 0);
});

t.test('a message that comes back says that the queue has lost its bindings', async (t) => {
  const { one, publisher, events, up, asks, besides, time, bind } = probe(t);
  one.start(publisher);
  await time.advance(LONGEST_MS);
  up();
  await asks(false);
  t.strictSame(events, []);
  await asks(true);
  t.strictSame(events, ['the exchange was deleted and declared again']);
  await asks(true);
  t.strictSame(events.slice(1), ['deaf', 'the exchange was deleted and declared again'], 'binding anew did not help');
  await asks(true, 10_000 * 1.25 + 1);
  t.equal(events.filter((event) => event === 'deaf').length, 1, 'which is told once');
  t.ok(besides.length > 0);
  bind(false);
  const before = events.length;
  await time.advance(300_000);
  t.equal(events.length, before, 'and not while it is bound to nothing anyway');
});

t.test('an exchange that is gone is bound again; without the permission nobody asks', async (t) => {
  const { time, one, publisher, events, besides, up } = probe(t);
  one.start(publisher);
  await time.advance(LONGEST_MS);
  up();
  besides[0]!.ended(new Error("404 NOT_FOUND - no exchange 'hpc' in vhost '/'"));
  t.strictSame(events, ['the exchange was deleted']);
  await time.advance(LONGEST_MS);
  t.equal(besides.length, 2, 'a new channel');
  besides[1]!.ended(new Error('403 ACCESS_REFUSED'));
  t.equal(time.armed(), 0);
});

t.test('what comes from a connection that is gone is no concern', async (t) => {
  const { time, one, publisher, events, besides, sent, up } = probe(t);
  one.start(publisher);
  await time.advance(LONGEST_MS);
  one.stop();
  up();
  besides[0]!.ended(new Error('NOT_FOUND - no exchange'));
  t.strictSame([events, sent], [[], []]);
});
