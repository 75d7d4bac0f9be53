import t from 'tap';
import type { PublishResult } from '../../src/model/types.js';
import type { MessageRecord } from '../../src/spool/record.js';
import { type PublishChannel, Sending } from '../../src/spool/sending.js';

const message = (n: number): MessageRecord => ({ n, exchange: 'x', routingKey: 'k', options: {}, body: '' });

/** A channel that answers when the test says so. */
function channel() {
  const done = new Map<number, (outcome: PublishResult) => void>();
  let listener: (why: string | null) => void = () => {};
  const made: PublishChannel = {
    publish: ({ n }, answer) => void done.set(n, answer),
    onEnded: (next) => {
      listener = next;
    },
    close: () => {},
  };
  return { channel: made, done, end: (why: string | null) => listener(why) };
}

function sending(confirmMs = 60_000) {
  const stop = new AbortController();
  const { channel: given, done, end } = channel();
  return { stop, done, end, sending: new Sending(given, { stop: stop.signal, confirmMs }) };
}

t.test('confirms count as far as they come without a gap', async (t) => {
  const { sending: one, done } = sending();
  for (const n of [4, 5, 6]) t.equal(await one.send(message(n)), true);
  for (const n of [6, 4, 5]) done.get(n)!('confirmed');
  await one.settle();
  t.match(one, { confirmed: 3, through: 6, trouble: undefined });
});

t.test('a window of messages is in flight, and no more', async (t) => {
  const { sending: one, done } = sending();
  for (let n = 1; n < 64; n++) await one.send(message(n));
  let sent = false;
  const full = one.send(message(64)).then((more) => {
    sent = true;
    return more;
  });
  await Promise.resolve();
  t.equal(sent, false, 'the 64th waits for the first');
  done.get(1)!('confirmed');
  t.equal(await full, true);
  t.equal(one.through, 1);
});

t.test('the first trouble ends it', async (t) => {
  const cases: readonly (readonly [string, (of: ReturnType<typeof sending>) => void, object])[] = [
    ['a full queue', ({ done }) => done.get(2)!('refused'), { kind: 'nacked' }],
    ['a confirm that is lost with its channel', ({ done }) => done.get(2)!('unknown'), { kind: 'stopped' }],
    ['what the broker refuses', ({ end }) => end('NOT_FOUND'), { kind: 'refused', why: 'NOT_FOUND' }],
    ['the end of the link', ({ end }) => end(null), { kind: 'stopped' }],
    ['no more time', ({ stop }) => stop.abort(), { kind: 'stopped' }],
  ];
  for (const [name, cause, trouble] of cases) {
    const one = sending();
    for (const n of [1, 2, 3]) await one.sending.send(message(n));
    one.done.get(1)!('confirmed');
    const settled = one.sending.settle();
    await Promise.resolve();
    cause(one);
    await settled;
    t.match(one.sending, { trouble }, name);
    t.match(one.sending, { through: 1, confirmed: 1 }, 'what was confirmed before it counts');
    one.end('LATER');
    t.match(one.sending, { trouble }, 'the first one stays');
    t.equal(await one.sending.send(message(4)), false, 'nothing more is sent');
  }
});

t.test('a broker that confirms nothing is silent', async (t) => {
  const { sending: one } = sending(1);
  await one.send(message(1));
  await one.settle();
  t.match(one, { trouble: { kind: 'silent' }, confirmed: 0 });
});

t.test('one that was stopped before it began sends nothing', async (t) => {
  const { channel: given, done } = channel();
  const one = new Sending(given, { stop: AbortSignal.abort(), confirmMs: 1000 });
  t.match(one, { trouble: { kind: 'stopped' } });
  t.equal(await one.send(message(1)), false);
  t.equal(done.size, 0);
});

t.test('after its close neither the channel nor the time is its concern', async (t) => {
  const { sending: one, stop, end } = sending();
  one.close();
  stop.abort();
  end('LATER');
  t.equal(one.trouble, undefined);
});
