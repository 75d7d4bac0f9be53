import t from 'tap';
import { publishChannels } from '../../src/amqp/publish-channels.js';
import type { Publication, Publisher, SecondChannel } from '../../src/amqp/publisher.js';
import type { MessageRecord } from '../../src/spool/record.js';

const message: MessageRecord = { n: 1, exchange: 'x', routingKey: 'k', options: { type: 't' }, body: 'ä' };

/** A link whose channels the test opens and ends. */
function link(openMs = 60_000, stop: AbortSignal = new AbortController().signal) {
  const asked: SecondChannel[] = [];
  const publisher = { openSecondChannel: (beside: SecondChannel) => asked.push(beside) } as unknown as Publisher;
  const sent: Publication[] = [];
  let closed = 0;
  const up = (index: number) =>
    asked[index]!.up(
      (publication, done) => {
        sent.push(publication);
        done('confirmed');
      },
      () => closed++,
    );
  return { channel: publishChannels(publisher, stop, openMs), asked, sent, up, closed: () => closed };
}

const refusal = (code: number, message: string) => Object.assign(new Error(message), { code });

t.test('one channel serves until it ends, then a new one', async (t) => {
  const { channel, asked, sent, up } = link();
  const opening = channel();
  up(0);
  const first = (await opening)!;
  t.equal(await channel(), first);
  const outcome = await new Promise((resolve) => first.publish(message, resolve));
  t.equal(outcome, 'confirmed');
  t.match(sent, [{ exchange: 'x', routingKey: 'k', options: { type: 't' }, content: Buffer.from('ä') }]);
  asked[0]!.ended(new Error('the channel was closed'));
  const next = channel();
  up(1);
  t.not(await next, first);
  t.equal(asked.length, 2);
});

t.test('the end of a channel is told with what the broker has refused', async (t) => {
  const cases: readonly (readonly [unknown, string | null])[] = [
    [
      refusal(406, `Channel closed by server: 406 with message "PRECONDITION_FAILED - size"`),
      'PRECONDITION_FAILED - size',
    ],
    [refusal(404, 'odd'), 'odd'],
    [new TypeError('Field is wrong'), 'Field is wrong'],
    [new RangeError('too long'), 'too long'],
    [new Error('the channel was closed'), null],
  ];
  for (const [error, why] of cases) {
    const { channel, asked, up } = link();
    const opening = channel();
    up(0);
    const one = (await opening)!;
    const told: (string | null)[] = [];
    one.onEnded((end) => told.push(end));
    asked[0]!.ended(error);
    asked[0]!.ended(new Error('once more'));
    t.strictSame(told, [why]);
    one.onEnded((end) => told.push(end));
    t.strictSame(told, [why, why], 'a later listener hears of it, too');
  }
});

t.test('a channel that was closed is over', async (t) => {
  const { channel, up, closed, asked } = link();
  const opening = channel();
  up(0);
  (await opening)!.close();
  t.equal(closed(), 1);
  const next = channel();
  t.equal(asked.length, 2);
  up(1);
  await next;
});

t.test('without a link, or without an answer, there is no channel', async (t) => {
  const lost = link();
  const opening = lost.channel();
  lost.asked[0]!.ended(new Error('Unexpected close'));
  t.equal(await opening, undefined);
  const stopped = link(60_000, AbortSignal.abort());
  t.equal(await stopped.channel(), undefined);
  t.equal(stopped.asked.length, 0);
  const alive = setTimeout(() => {}, 10_000);
  t.equal(await link(1).channel(), undefined);
  clearTimeout(alive);
});
