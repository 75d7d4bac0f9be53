import t from 'tap';
import { FairOutbox, type Quotas } from '../../src/node-link/fair-outbox.js';
import { Lane } from '../../src/node-link/lane.js';
import { notingLogger, sample } from '../fixtures/broker.js';

/** The lane is not attached, and takes its window of 256 messages. */
function make(maxMessages: number, quotas: Partial<Quotas> = {}) {
  const { log, lines } = notingLogger();
  const outbox = new FairOutbox(
    { maxMessages, maxBytes: 1e9, overheadBytes: 0 },
    { maxBytes: 1e9, messagesPerSec: 0, burst: 1, ...quotas },
    log,
  );
  const lane = new Lane({ messageTimeoutMs: 0, log, onLeft: (parcel, delivered) => outbox.left(parcel, delivered) });
  const queue = (uid: number) =>
    outbox.add(uid, lane, ({ messageId }, content) => ({
      exchange: 'x',
      routingKey: 'k',
      content,
      options: { messageId },
    }));
  const push = (to: ReturnType<typeof queue>, box: string, count: number, body?: string) => {
    for (let n = 1; n <= count; n++) outbox.push(to, sample(box, n, body));
  };
  return { outbox, lane, queue, push, lines };
}

t.test('who has more bytes than his quota loses his own oldest messages', async (t) => {
  const { queue, push, outbox, lines } = make(10_000, { maxBytes: 30_000 });
  const [loud, other, quiet] = [queue(1), queue(1), queue(2)];
  push(quiet, 'q', 10, 'x'.repeat(100));
  push(other, 'o', 2, 'x'.repeat(100));
  push(loud, 'l', 400, 'x'.repeat(100));
  t.equal(quiet.dropped, 0);
  t.ok(loud.dropped > 0);
  t.ok(loud.user.bytes <= 30_000);
  t.equal(outbox.dropped, loud.dropped);
  t.equal([...loud.waiting()].at(-1)!.messageId, 'l-400', 'the newest stay');
  t.equal(lines.filter((line) => line.includes('warn')).length, 1);
});

t.test('at the bounds of the node the user with the most bytes loses', async (t) => {
  const { queue, push, outbox } = make(400);
  const [loud, quiet] = [queue(1), queue(2)];
  push(loud, 'l', 500);
  push(quiet, 'q', 20);
  t.equal(outbox.length, 400);
  t.strictSame([loud.dropped, quiet.dropped], [120, 0]);
});

t.test('a message that is larger than everything may be is lost at once', async (t) => {
  const { queue, push } = make(10, { maxBytes: 100 });
  const one = queue(1);
  push(one, 'a', 1, 'x'.repeat(101));
  t.strictSame([one.length, one.dropped], [0, 1]);
});

t.test('bytes and users are gone when the last message has left', async (t) => {
  const { queue, push, outbox, lane } = make(1_000);
  const one = queue(1);
  push(one, 'a', 300);
  const drained = one.drained();
  lane.attach(
    (_, done) => setImmediate(done, 'confirmed'),
    () => {},
  );
  await drained;
  outbox.remove(one);
  t.strictSame(
    [outbox.length, outbox.bytes, one.user.bytes, one.user.boxes, [...outbox.queues].length],
    [0, 0, 0, 0, 0],
  );
});
