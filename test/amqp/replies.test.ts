import t from 'tap';
import type { Publication, Publisher } from '../../src/amqp/publisher.js';
import { Replies, type Reply } from '../../src/amqp/replies.js';

const reply = (n: number, correlationId: string | undefined = `c${n}`): Reply => ({
  replyTo: 'q',
  correlationId,
  messageId: `m${n}`,
  body: `${n}`,
});

/** A connection that takes a message when the test says so. */
function publisher() {
  const sent: Publication[] = [];
  const taken: (() => void)[] = [];
  const made = {
    send: (message: Publication, done: () => void) => {
      sent.push(message);
      taken.push(done);
    },
  } as unknown as Publisher;
  return { made, sent, takes: () => taken.shift()!(), bodies: () => sent.map(({ content }) => content.toString()) };
}

t.test('an answer goes to where its sender waits, with its correlation id', async (t) => {
  const replies = new Replies('', { appId: 'x', headers: { site: 's' }, persistent: true });
  const { made, sent } = publisher();
  replies.attach(made);
  replies.push(reply(1));
  t.match(sent, [
    {
      exchange: '',
      routingKey: 'q',
      options: {
        persistent: true,
        headers: { site: 's' },
        contentType: 'application/json',
        messageId: 'm1',
        correlationId: 'c1',
        type: 'proc_box.answer',
        appId: 'proc_box',
      },
    },
  ]);
  const elsewhere = new Replies('answers');
  const other = publisher();
  elsewhere.attach(other.made);
  elsewhere.push(reply(1, undefined));
  t.equal(other.sent[0]!.exchange, 'answers');
});

t.test('answers wait for a connection, and go one after the other', async (t) => {
  const replies = new Replies();
  replies.push(reply(1));
  replies.push(reply(2));
  const one = publisher();
  replies.attach(one.made);
  t.strictSame(one.bodies(), ['1']);
  let idle = false;
  const flushed = replies.flushed().then(() => {
    idle = true;
  });
  one.takes();
  t.strictSame(one.bodies(), ['1', '2']);
  await Promise.resolve();
  t.equal(idle, false);
  one.takes();
  await flushed;
  await replies.flushed();
});

t.test('a blocked connection gets none, and neither does one that is gone', async (t) => {
  const replies = new Replies();
  const one = publisher();
  replies.attach(one.made);
  replies.setBlocked(true);
  replies.push(reply(1));
  t.strictSame(one.bodies(), []);
  replies.setBlocked(false);
  t.strictSame(one.bodies(), ['1']);
  replies.detach();
  one.takes();
  replies.push(reply(2));
  t.strictSame(one.bodies(), ['1'], 'what an old connection says is no word of a new one');
  const two = publisher();
  replies.attach(two.made);
  t.strictSame(two.bodies(), ['2']);
});

t.test('old answers and those over a bound are given up', async (t) => {
  let nowMs = 0;
  const replies = new Replies('', {}, () => nowMs);
  replies.push(reply(1));
  nowMs = 10_001;
  await replies.flushed();
  const one = publisher();
  for (let n = 2; n < 1004; n++) replies.push(reply(n));
  replies.attach(one.made);
  t.strictSame(one.bodies(), ['4'], 'the oldest are given up');
});
