import { chmodSync, mkdirSync } from 'node:fs';
import t from 'tap';
import type { Publisher } from '../../src/amqp/publisher.js';
import { FairOutbox } from '../../src/node-link/fair-outbox.js';
import { Lane } from '../../src/node-link/lane.js';
import { nodeIdentity } from '../../src/node-link/node-identity.js';
import { NodeSpool } from '../../src/node-link/node-spool.js';
import * as spool from '../../src/spool/index.js';
import { collect, foreignClient, notingLogger, sample, sharedBroker, until } from '../fixtures/broker.js';
import { openNode } from '../fixtures/node-link.js';
import { testSpool } from '../fixtures/spool.js';

const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

/** An outbox for few messages with a spool, and a channel that the test confirms on. */
function make(spoolDir: string, maxMessages = 40) {
  const { log, lines } = notingLogger();
  const outbox = new FairOutbox(
    { maxMessages, maxBytes: 1e9, overheadBytes: 0 },
    { maxBytes: 1e9, messagesPerSec: 0, burst: 1 },
    log,
  );
  const lane = new Lane({ messageTimeoutMs: 0, log, onLeft: (parcel, delivered) => outbox.left(parcel, delivered) });
  const identity = nodeIdentity('node-1', { host: 'h', user: 'u' });
  const loadSpool = () => spool;
  const own = new NodeSpool({ spoolDir, maxBytes: 1e8, maxAgeMs: 1e12, identity, outbox, loadSpool, log });
  outbox.overflow = own;
  const queueOf = (uid: number) =>
    outbox.add(uid, lane, ({ messageId, timestamp, type }) => ({
      exchange: 'x',
      routingKey: 'k',
      content: Buffer.alloc(0),
      options: { messageId, timestamp, type, persistent: true },
    }));
  const sent: string[] = [];
  const confirms: (() => void)[] = [];
  const attach = (confirm: boolean) => {
    const publish: Publisher['publish'] = ({ options }, done) => {
      sent.push(String(options.messageId));
      if (confirm) setImmediate(done, 'confirmed');
      else confirms.push(() => done('confirmed'));
    };
    lane.attach(publish, () => {});
  };
  return { outbox, own, lane, queueOf, sent, confirms, attach, lines };
}

t.test('what memory has no room for goes to disk and comes back, in the order of each box', async (t) => {
  const files = testSpool(t);
  const { outbox, own, queueOf, sent, attach, lane } = make(files.dir);
  const [one, other] = [queueOf(1), queueOf(2)];
  for (const n of upTo(300)) {
    outbox.push(one, sample('a', n));
    if (n % 10 === 0) outbox.push(other, sample('b', n / 10));
    if (n % 100 === 0) await until(() => files.messages().length >= n + n / 10 - 40, 'the disk has the rest');
  }
  t.ok(outbox.length <= 256 + 40, 'memory is bounded');
  t.equal(one.length, 300);
  attach(true);
  await until(() => one.length + other.length === 0, 'everything is confirmed');
  t.strictSame(
    sent.filter((id) => id.startsWith('a')),
    upTo(300).map((n) => `a-${n}`),
  );
  t.strictSame(
    sent.filter((id) => id.startsWith('b')),
    upTo(30).map((n) => `b-${n}`),
  );
  t.equal(outbox.dropped, 0);
  lane.close();
  t.strictSame(await own.close(), { path: null, lost: 0 });
  t.strictSame(files.files(), []);
});

t.test('at the end everything that is not confirmed is on disk, in the order of each box', async (t) => {
  const files = testSpool(t);
  const { outbox, own, queueOf, attach, confirms, lane } = make(files.dir);
  const [one, other] = [queueOf(1), queueOf(2)];
  attach(false);
  for (const n of upTo(600)) {
    outbox.push(one, sample('a', n));
    if (n % 100 === 0) await until(() => files.messages().length >= n - 140, 'the disk has the rest');
  }
  for (const n of upTo(5)) outbox.push(other, sample('b', n));
  await until(() => files.messages().length > 100, 'the disk has some');
  for (const confirm of confirms.splice(0, 10)) confirm();
  lane.close();
  const { path, lost } = await own.close();
  t.equal(lost, 0);
  t.match(path, 'node-1');
  const ids = files.messages().map(({ options }) => String(options['messageId']));
  t.strictSame(
    ids.filter((id) => id.startsWith('a')),
    upTo(600)
      .slice(10)
      .map((n) => `a-${n}`),
  );
  t.strictSame(
    ids.filter((id) => id.startsWith('b')),
    upTo(5).map((n) => `b-${n}`),
  );
});

t.test('a disk that takes nothing loses only what memory has no room for', async (t) => {
  const files = testSpool(t);
  mkdirSync(files.dir, { recursive: true });
  chmodSync(files.dir, 0o777);
  const { outbox, own, queueOf, sent, attach, lane, lines } = make(files.dir);
  const one = queueOf(1);
  for (const n of upTo(400)) outbox.push(one, sample('a', n));
  await until(() => lines.some((line) => line.includes('warn') && line.includes('spool')), 'a warning');
  t.equal(one.dropped, 400 - 256 - 40);
  attach(true);
  await until(() => one.length === 0, 'the others are confirmed');
  const left = upTo(400).filter((n) => n <= 40 || n > 144);
  t.strictSame(
    sent,
    left.map((n) => `a-${n}`),
    'what was handed to the lane goes first',
  );
  lane.close();
  t.match(await own.close(), { lost: 0 });
});

t.test('the next link of the node delivers what the last one has left, before anything else', async (t) => {
  const uri = await sharedBroker(t);
  const files = testSpool(t);
  const first = openNode(t, 'amqp://127.0.0.1:1', { spoolDir: files.dir });
  const boxes = [first.attach({}, 1), first.attach({}, 2)];
  for (const n of upTo(50)) for (const { link, id } of boxes) link.publish(sample(id, n));
  t.match(await first.link.close(0), { undelivered: 100, spooled: String });
  t.equal(files.messages().length, 100);

  const { channel } = await foreignClient(t, uri);
  const stats = await collect(channel, 'amq.topic', `${first.spec.statsKey}.#`);
  const second = openNode(t, uri, { spoolDir: files.dir, statsKey: first.spec.statsKey });
  const again = second.attach({ box: boxes[0]!.id }, 1, { statsKey: first.spec.statsKey });
  again.link.publish(sample(again.id, 51));
  const messages = await stats.count(101);
  const ids = messages.map(({ properties }) => String(properties.messageId));
  for (const { id } of boxes) {
    const last = id === again.id ? 51 : 50;
    t.strictSame(
      ids.filter((one) => one.startsWith(`${id}-`)),
      upTo(last).map((n) => `${id}-${n}`),
    );
  }
  t.match(await second.link.close(5_000), { undelivered: 0 });
  t.strictSame(files.files(), []);
});
