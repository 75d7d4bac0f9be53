import t from 'tap';
import { Outbox } from '../../src/amqp/outbox.js';
import type { Outgoing, PublishResult } from '../../src/model/types.js';
import { notingLogger, sample } from '../fixtures/broker.js';

interface FakeLink {
  readonly sent: string[];
  stuck: number;
  attach(): void;
  /** Ends the oldest attempt that is awaited, or that at one message. */
  end(sent: PublishResult, messageId?: string): void;
}

/** One in flight at a time, where no other window is given. */
function make(bounds: Partial<Outbox['bounds']> = {}) {
  const { log, lines } = notingLogger();
  const outbox = new Outbox({ maxMessages: 100, maxBytes: 10_000, messageTimeoutMs: 0, window: 1, ...bounds }, log);
  const pending: { messageId: string; done: (sent: PublishResult) => void }[] = [];
  const link: FakeLink = {
    sent: [],
    stuck: 0,
    attach() {
      const send = (message: Outgoing, _: Buffer, done: (sent: PublishResult) => void) => {
        link.sent.push(message.messageId);
        pending.push({ messageId: message.messageId, done });
      };
      outbox.attach(send, () => link.stuck++);
    },
    end(sent, messageId = pending[0]?.messageId ?? '') {
      const index = pending.findIndex((attempt) => attempt.messageId === messageId);
      pending.splice(index, 1)[0]?.done(sent);
    },
  };
  return { outbox, link, lines };
}

t.test('sends in order, one at a time where the window is one', async (t) => {
  const { outbox, link } = make();
  for (const n of [1, 2, 3]) outbox.push(sample('b', n));
  link.attach();
  t.strictSame(link.sent, ['b-1']);
  link.end('confirmed');
  t.strictSame(link.sent, ['b-1', 'b-2']);
  link.end('confirmed');
  link.end('confirmed');
  t.strictSame(link.sent, ['b-1', 'b-2', 'b-3']);
  t.strictSame([outbox.length, outbox.bytes, outbox.dropped], [0, 0, 0]);
});

t.test('sends the head again on the next link, under the same message id', async (t) => {
  const { outbox, link } = make();
  outbox.push(sample('b', 1));
  outbox.push(sample('b', 2));
  link.attach();
  outbox.detach();
  link.end('confirmed');
  t.equal(outbox.length, 2, 'a confirm from a link that is gone says nothing');
  link.attach();
  t.strictSame(link.sent, ['b-1', 'b-1']);
  link.end('confirmed');
  t.strictSame(link.sent, ['b-1', 'b-1', 'b-2']);
});

t.test('gives up the oldest that is not in flight when it is full, and counts it', async (t) => {
  const { outbox, link, lines } = make({ maxMessages: 3 });
  link.attach();
  for (let n = 1; n <= 6; n++) outbox.push(sample('b', n));
  t.strictSame([outbox.length, outbox.dropped], [3, 3]);
  for (let n = 0; n < 3; n++) link.end('confirmed');
  t.strictSame(link.sent, ['b-1', 'b-5', 'b-6']);
  t.equal(lines.filter((line) => line.includes('warn')).length, 1, 'warned once');
});

t.test('keeps to its bound in bytes', async (t) => {
  const { outbox, link } = make({ maxBytes: 100 });
  for (let n = 1; n <= 5; n++) outbox.push(sample('b', n, 'x'.repeat(40)));
  t.strictSame([outbox.length, outbox.bytes, outbox.dropped], [2, 80, 3]);
  outbox.push(sample('b', 6, 'x'.repeat(101)));
  t.strictSame([outbox.length, outbox.dropped], [2, 4], 'what can never fit is given up at once');
  link.attach();
  outbox.push(sample('b', 7, 'x'.repeat(100)));
  t.strictSame([outbox.length, outbox.bytes, outbox.dropped], [1, 100, 6], 'even what is in flight makes room');
  link.end('confirmed', 'b-7');
  t.equal(outbox.length, 0);
});

t.test('asks for another link when nothing is confirmed, and loses nothing by that', async (t) => {
  const { outbox, link } = make({ messageTimeoutMs: 5 });
  outbox.push(sample('b', 1));
  link.attach();
  await later(() => link.stuck === 1);
  t.strictSame([outbox.length, outbox.dropped], [1, 0]);
  outbox.detach();
  link.attach();
  await later(() => link.stuck === 2);
  t.strictSame([outbox.length, outbox.dropped], [0, 1], 'a second link that confirms nothing ends it');
});

t.test('does not count the time in which the broker is blocked', async (t) => {
  const { outbox, link } = make({ messageTimeoutMs: 5 });
  outbox.push(sample('b', 1));
  link.attach();
  outbox.setBlocked(true);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(link.stuck, 0);
  outbox.setBlocked(false);
  await later(() => link.stuck === 1);
});

t.test('tries a message again that the broker refuses, and nothing overtakes it', async (t) => {
  const { outbox, link } = make({ messageTimeoutMs: 300 });
  outbox.push(sample('b', 1));
  outbox.push(sample('b', 2));
  link.attach();
  link.end('refused');
  await later(() => link.sent.length === 2);
  link.end('refused');
  await later(() => link.sent.length === 3);
  link.end('refused');
  t.strictSame(link.sent, ['b-1', 'b-1', 'b-1', 'b-2']);
  t.equal(outbox.dropped, 1);
});

t.test('has a window of messages in flight, and keeps those that are confirmed before their turn', async (t) => {
  const { outbox, link } = make({ window: 3 });
  for (let n = 1; n <= 5; n++) outbox.push(sample('b', n));
  link.attach();
  t.strictSame(link.sent, ['b-1', 'b-2', 'b-3']);
  link.end('confirmed', 'b-2');
  t.strictSame([link.sent.length, outbox.length], [3, 5], 'the first is not confirmed yet');
  link.end('confirmed', 'b-1');
  t.strictSame(link.sent, ['b-1', 'b-2', 'b-3', 'b-4', 'b-5']);
  for (let n = 0; n < 3; n++) link.end('confirmed');
  t.strictSame([outbox.length, outbox.bytes, outbox.dropped], [0, 0, 0]);
});

t.test('has no more bytes in flight than half of what it may hold, and always one message', async (t) => {
  const { outbox, link } = make({ window: 10, maxBytes: 100 });
  link.attach();
  for (let n = 1; n <= 4; n++) outbox.push(sample('b', n, 'x'.repeat(20)));
  t.strictSame(link.sent, ['b-1', 'b-2']);
  for (let n = 0; n < 4; n++) link.end('confirmed');
  outbox.push(sample('b', 5, 'x'.repeat(80)));
  t.strictSame(link.sent, ['b-1', 'b-2', 'b-3', 'b-4', 'b-5']);
});

t.test('sends everything from the first unconfirmed on again when the link is lost', async (t) => {
  const { outbox, link } = make({ window: 4 });
  for (let n = 1; n <= 4; n++) outbox.push(sample('b', n));
  link.attach();
  link.end('confirmed', 'b-1');
  link.end('confirmed', 'b-3');
  outbox.detach();
  link.end('confirmed', 'b-2');
  t.equal(outbox.length, 3, 'a confirm from a link that is gone says nothing');
  link.sent.length = 0;
  link.attach();
  t.strictSame(link.sent, ['b-2', 'b-3', 'b-4']);
});

t.test('goes back to what was refused, one at a time, and widens the window with each confirm', async (t) => {
  const { outbox, link } = make({ window: 8 });
  for (let n = 1; n <= 6; n++) outbox.push(sample('b', n));
  link.attach();
  link.end('confirmed', 'b-1');
  link.end('refused', 'b-2');
  link.end('confirmed', 'b-3');
  link.sent.length = 0;
  await later(() => link.sent.length === 1);
  t.strictSame(link.sent, ['b-2']);
  while (outbox.length > 4) link.end('confirmed');
  t.strictSame(link.sent, ['b-2', 'b-3', 'b-4'], 'what overtook it is sent again after it');
  while (outbox.length > 0) link.end('confirmed');
  t.strictSame(link.sent, ['b-2', 'b-3', 'b-4', 'b-5', 'b-6']);
  t.equal(outbox.dropped, 0);
});

t.test('gives up what is not in flight when it is full, whatever the window', async (t) => {
  const { outbox, link } = make({ maxMessages: 4, window: 2 });
  link.attach();
  for (let n = 1; n <= 8; n++) outbox.push(sample('b', n));
  t.strictSame([outbox.length, outbox.dropped], [4, 4]);
  for (let n = 0; n < 4; n++) link.end('confirmed');
  t.strictSame(link.sent, ['b-1', 'b-2', 'b-7', 'b-8']);
});

t.test('sends nothing more while the broker is blocked', async (t) => {
  const { outbox, link } = make({ window: 2 });
  link.attach();
  outbox.setBlocked(true);
  outbox.push(sample('b', 1));
  t.strictSame(link.sent, []);
  outbox.setBlocked(false);
  t.strictSame(link.sent, ['b-1']);
});

t.test('tells when nothing is left', async (t) => {
  const { outbox, link } = make();
  await outbox.drained();
  outbox.push(sample('b', 1));
  let drained = false;
  const waiting = outbox.drained().then(() => (drained = true));
  link.attach();
  t.equal(drained, false);
  link.end('confirmed');
  await waiting;
});

t.test('goes through a long backlog', async (t) => {
  const { outbox, link } = make({ maxMessages: 100_000, maxBytes: 1e8 });
  for (let n = 0; n < 20_000; n++) outbox.push(sample('b', n));
  link.attach();
  while (outbox.length > 0) link.end('confirmed');
  t.equal(link.sent.length, 20_000);
  t.equal(outbox.bytes, 0);
});

async function later(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
