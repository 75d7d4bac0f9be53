import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { Outbox } from '../../src/amqp/outbox.js';
import { SpooledOutbox } from '../../src/amqp/spooled-outbox.js';
import type { Outgoing, PublishResult } from '../../src/model/types.js';
import * as spool from '../../src/spool/index.js';
import { fakeBox, notingLogger, sample, specFor, until } from '../fixtures/broker.js';
import { testSpool } from '../fixtures/spool.js';

interface Options {
  readonly spoolDir?: string;
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  readonly maxAgeMs?: number;
  readonly box?: string;
  readonly journal?: Partial<spool.Journal>;
  /** Throws where the disk is to fail at this moment. */
  readonly disk?: () => void;
}

/** A box of its own directory, whose link confirms what the test says. */
function make(t: Test, options: Options = {}) {
  const { spoolDir = join(t.testdir(), 'spool'), maxMessages = 100, maxBytes = 1e6, maxAgeMs = 1e12 } = options;
  const { log, lines } = notingLogger();
  const outbox = new Outbox({ maxMessages, maxBytes: 1e6, messageTimeoutMs: 0 }, log);
  const pending: ((sent: PublishResult) => void)[] = [];
  const sent: string[] = [];
  const files = testSpool(t, spoolDir);
  const { journal, disk = () => {} } = options;
  const opened = async (of: spool.JournalOptions) => {
    const real = await spool.Journal.open(of);
    const { append, read } = real;
    real.append = async (messages) => {
      disk();
      return await append.call(real, messages);
    };
    real.read = async (take) => {
      disk();
      await read.call(real, take);
    };
    return real;
  };
  const queue = new SpooledOutbox({
    spec: specFor('amqp://h', { spoolDir, spoolMaxBytes: maxBytes, spoolMaxAgeMs: maxAgeMs }),
    identity: fakeBox({ box: options.box ?? 'b' }).identity,
    outbox,
    toPublication: ({ messageId, timestamp, type }, content) => ({
      exchange: 'e',
      routingKey: 'k',
      content,
      options: { messageId, timestamp, type },
    }),
    loadSpool: () => ({ ...spool, Journal: { open: journal === undefined ? opened : async () => journal } as never }),
    log,
  });
  t.teardown(() => queue.close());
  return {
    queue,
    lines,
    files,
    sent,
    push: (from: number, through: number, body?: string) => {
      for (let n = from; n <= through; n++) queue.push(sample('b', n, body));
    },
    kept: () => files.messages().map(({ n }) => n),
    attach: () =>
      outbox.attach(
        (message: Outgoing, _content, done) => {
          sent.push(message.messageId);
          pending.push(done);
        },
        () => {},
      ),
    detach: () => {
      outbox.detach();
      pending.length = 0;
      sent.length = 0;
    },
    confirm: (count = 1) => {
      for (let n = 0; n < count; n++) pending.shift()?.('confirmed');
    },
    /** Confirms whatever comes, until nothing is left. */
    async drain() {
      const timer = setInterval(() => {
        while (pending.length > 0) pending.shift()?.('confirmed');
      }, 1);
      await queue.drained();
      clearInterval(timer);
    },
  };
}

const upTo = (count: number, first = 1) => Array.from({ length: count - first + 1 }, (_, index) => first + index);
const ids = (numbers: number[]) => numbers.map((n) => `b-${n}`);

t.test('every message is on disk before it is confirmed, and no longer', async (t) => {
  const { push, attach, confirm, kept, files, queue } = make(t);
  attach();
  push(1, 3);
  await until(() => kept().length === 3, 'all are kept');
  t.match(files.records()[0], { spool: 1, from: 1, first: 1, identity: { box: 'b' } });
  t.match(files.records()[1], {
    exchange: 'e',
    routingKey: 'k',
    options: { messageId: 'b-1' },
    body: '{"Sequence":1}',
  });
  t.equal(statSync(files.paths()[0]!).mode & 0o7777, 0o600);
  confirm(2);
  await until(() => files.records().length === 5, 'what is confirmed is marked');
  t.match(files.records().at(-1), { through: 2 });
  confirm();
  await until(() => files.records().length === 1, 'all but the head is gone');
  push(4, 4);
  await until(() => kept().length === 1, 'the next one is kept');
  confirm();
  t.equal(await queue.close(), null);
  t.strictSame(files.files(''), [], 'removed when nothing is left');
});

t.test('what has no room in memory is on disk only, and comes back in order', async (t) => {
  const { push, attach, drain, kept, queue, sent } = make(t, { maxMessages: 10 });
  for (let n = 0; n < 500; n += 100) {
    push(n + 1, n + 100);
    t.equal(queue.length, n + 100);
    await until(() => kept().length === n + 100, 'all are on disk');
  }
  t.strictSame(kept(), upTo(500));
  t.ok(queue.bytes < 1000, `${queue.bytes} bytes in memory`);
  attach();
  const drained = drain();
  push(501, 600);
  await drained;
  t.strictSame(sent, ids(upTo(600)), 'none lost, none out of order');
  t.strictSame([queue.length, queue.bytes, queue.dropped], [0, 0, 0]);
});

t.test('a link that comes and goes meanwhile loses nothing', async (t) => {
  const { push, attach, detach, confirm, queue, sent, drain } = make(t, { maxMessages: 8 });
  const confirmed: string[] = [];
  let n = 0;
  for (let round = 0; round < 30; round++) {
    push(n + 1, n + 10);
    n += 10;
    attach();
    for (let turn = 0; turn < 3; turn++) {
      const before = queue.length;
      confirm(2);
      confirmed.push(...sent.splice(0, before - queue.length));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    detach();
  }
  attach();
  await drain();
  t.strictSame([...confirmed, ...sent], ids(upTo(n)), 'each once, in order');
  t.equal(queue.dropped, 0);
});

t.test('over the bound of the spool the oldest are given up and counted', async (t) => {
  const { push, attach, drain, kept, files, queue, sent, lines } = make(t, { maxMessages: 10, maxBytes: 40_000 });
  for (let n = 1; n <= 400; n += 4) {
    push(n, n + 3, 'x'.repeat(500));
    await until(() => kept().at(-1) === n + 3, 'they are on disk');
    const bytes = files.paths().reduce((sum, path) => sum + statSync(path).size, 0);
    t.ok(bytes <= 40_000, `${bytes} bytes`);
  }
  t.ok(queue.dropped > 200, `${queue.dropped} are given up`);
  t.equal(queue.dropped + queue.length, 400);
  const [head] = files.records();
  t.match(head, { spool: 1, from: 1, first: kept()[0] }, 'the first file says for how many it stands');
  const last = kept();
  const { dropped } = queue;
  attach();
  await drain();
  t.strictSame(sent, [...ids(upTo(5)), ...ids(last)], 'what was in memory, and what was kept');
  t.equal(sent.length + dropped, 400);
  t.equal(queue.dropped, dropped);
  t.equal(lines.filter((line) => line.includes('warn: gave up')).length, 1, 'warned once');
  await until(() => files.records().length === 1, 'nothing is left');
  t.match(files.records()[0], { spool: 1 });
});

const step = fc.record({
  push: fc.nat(30),
  bytes: fc.nat(800),
  confirm: fc.nat(40),
  link: fc.oneof({ weight: 6, arbitrary: fc.constant('same') }, fc.constantFrom('lost', 'back')),
  disk: fc.oneof({ weight: 12, arbitrary: fc.constant('same') }, fc.constantFrom('fails', 'works')),
  waitMs: fc.nat(4),
});

t.test('whatever happens, each message is sent in order or counted', async (t) => {
  let runs = 0;
  const bounds = fc.record({
    maxMessages: fc.integer({ min: 1, max: 60 }),
    maxBytes: fc.integer({ min: 5e3, max: 1e6 }),
  });
  const property = fc.asyncProperty(
    bounds,
    fc.array(step, { minLength: 50, maxLength: 150 }),
    async (bounds, steps) => {
      let failing = false;
      const { push, attach, detach, confirm, drain, queue, sent } = make(t, {
        ...bounds,
        spoolDir: join(t.testdir(), `spool${runs++}`),
        disk: () => {
          if (failing) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
        },
      });
      const arrived: string[] = [];
      const note = () => arrived.push(...sent.splice(0));
      let n = 0;
      for (const step of steps) {
        push(n + 1, n + step.push, 'x'.repeat(step.bytes));
        n += step.push;
        confirm(step.confirm);
        note();
        if (step.link === 'lost') detach();
        if (step.link === 'back') attach();
        if (step.disk !== 'same') failing = step.disk === 'fails';
        await new Promise((resolve) => setTimeout(resolve, step.waitMs));
      }
      failing = false;
      attach();
      await drain();
      note();
      const numbers = [...new Set(arrived.map((id) => Number(id.slice(2))))];
      const inOrder = numbers.every((number, index) => number > (numbers[index - 1] ?? 0));
      return inOrder && numbers.length + queue.dropped === n && queue.length + queue.bytes === 0;
    },
  );
  await fc.assert(property, { numRuns: 12, endOnFailure: true });
  t.equal(runs, 12);
});

t.test('what is damaged or too old on the disk is counted, and the rest delivered', async (t) => {
  const { push, attach, drain, kept, queue, sent } = make(t, { maxMessages: 4, maxAgeMs: 1000 });
  push(1, 20);
  await until(() => kept().length === 20, 'all are on disk');
  attach();
  await drain();
  t.strictSame(sent, ids(upTo(2)), 'the timestamp of samples of the test is of 2023');
  t.equal(queue.dropped, 18);
});

t.test('at the end keeps what is left, and tells where', async (t) => {
  const { queue, files, attach, push, kept } = make(t);
  attach();
  push(1, 2);
  t.equal(await queue.close(), files.paths()[0]);
  t.strictSame(kept(), [1, 2]);
  t.equal(await make(t, { spoolDir: join(t.testdirName, 'other') }).queue.close(), null, 'of nothing nothing');
});

t.test('a directory that cannot be used is one warning, and the messages stay in memory', async (t) => {
  const dir = t.testdir({ file: '' });
  for (const [spoolDir, text] of [
    [join(dir, 'file'), /spool \S+: it is not a directory: remove it; .*in memory only/],
    [join(dir, 'open'), /spool \S+: others could replace its entries.*chmod 1777/],
  ] as const) {
    if (spoolDir.endsWith('open')) {
      mkdirSync(spoolDir);
      chmodSync(spoolDir, 0o777);
    }
    const { push, queue, lines, attach, drain, sent } = make(t, { spoolDir, maxMessages: 10 });
    push(1, 8);
    await until(() => lines.some((line) => line.includes(': warn: ')), 'it is said');
    t.equal(queue.length, 8);
    attach();
    await drain();
    t.strictSame(sent, ids(upTo(8)), 'delivered all the same');
    t.equal(await queue.close(), null);
    const warnings = lines.filter((line) => line.includes(': warn: '));
    t.equal(warnings.length, 1);
    t.match(warnings[0], text);
  }
});

t.test('where other boxes of the user have the room, that is one warning', async (t) => {
  const spoolDir = join(t.testdir(), 'spool');
  const other = make(t, { spoolDir, box: 'a' });
  other.push(1, 1, 'x'.repeat(9_000));
  await until(() => other.kept().length === 1, 'another box keeps something');
  const { push, queue, lines } = make(t, { spoolDir, maxBytes: 10_000 });
  push(1, 1, 'x'.repeat(2_000));
  const warnings = () => lines.filter((line) => line.includes(': warn: '));
  await until(() => warnings().length === 1, 'it is said');
  t.match(
    warnings()[0],
    /no room for a message of 2\d+ bytes within --spool-max-bytes: other boxes of this user occupy/,
  );
  t.strictSame([queue.length, other.files.files().length], [1, 1], 'and what another box keeps stays');
});

t.test('a disk that hangs holds up nothing, and memory keeps to its bounds', async (t) => {
  const hung = { unread: 0, append: () => new Promise<number>(() => {}) };
  const { push, queue, attach, sent, confirm, lines } = make(t, { maxMessages: 1000, journal: hung });
  attach();
  push(1, 3000);
  t.equal(sent.length, 256, 'sent at once');
  t.equal(queue.length, 1000);
  t.equal(queue.dropped, 2000);
  confirm(256);
  t.equal(sent.length, 512, 'the next ones follow');
  t.equal(await queue.close(), null);
  t.match(lines.join('\n'), /warn: spool \S+: no answer within 2 s/);
});

t.test('the file of a box with a healthy broker stays small', async (t) => {
  const { push, attach, confirm, files, kept } = make(t);
  attach();
  for (let n = 1; n <= 50; n++) {
    push(n, n, 'x'.repeat(1000));
    await until(() => kept().at(-1) === n, 'it is kept');
    confirm();
  }
  await until(() => statSync(files.paths()[0]!).size < 500, 'the head alone');
  t.equal(files.files('').length, 1);
});
