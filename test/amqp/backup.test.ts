import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Backup } from '../../src/amqp/backup.js';
import { Outbox, type Sent } from '../../src/amqp/outbox.js';
import * as spool from '../../src/spool/index.js';
import { fakeBox, notingLogger, sample, specFor, until } from '../fixtures/broker.js';
import { recordsOf } from '../fixtures/spool.js';

function make(t: Test, spoolDir = join(t.testdir(), 'spool')) {
  const { log, lines } = notingLogger();
  const outbox = new Outbox({ maxMessages: 100, maxBytes: 1e6, messageTimeoutMs: 0 }, log);
  const pending: ((sent: Sent) => void)[] = [];
  let loads = 0;
  const { identity } = fakeBox({ box: 'b' });
  const backup = new Backup({
    spec: specFor('amqp://h', { spoolDir, spoolMaxBytes: 1e6, spoolMaxAgeMs: 1e9 }),
    identity,
    outbox,
    toPublication: ({ messageId, timestamp, type }, content) => ({
      exchange: 'e',
      routingKey: 'k',
      content,
      options: { messageId, timestamp, type },
    }),
    loadSpool: () => {
      loads++;
      return spool;
    },
    log,
  });
  t.teardown(() => backup.close());
  const own = join(spoolDir, String(process.geteuid?.()));
  return {
    outbox,
    backup,
    lines,
    own,
    loads: () => loads,
    attach: () =>
      outbox.attach(
        (_message, _content, done) => pending.push(done),
        () => {},
      ),
    confirm: () => pending.shift()?.('confirmed'),
    records: () => recordsOf(join(own, 'b.spool')),
    numbers: () => recordsOf(join(own, 'b.spool')).flatMap((record) => ('n' in record ? [record.n] : [])),
  };
}

t.test('loads nothing and writes nothing while all is confirmed in time', async (t) => {
  const { outbox, attach, confirm, loads } = make(t);
  attach();
  for (let n = 1; n <= 50; n++) {
    outbox.push(sample('b', n));
    await new Promise((resolve) => setTimeout(resolve, 15));
    confirm();
  }
  t.equal(loads(), 0);
});

t.test('keeps what waits too long, then everything that comes, and marks what is confirmed', async (t) => {
  const { outbox, attach, confirm, records, numbers, own, loads } = make(t);
  attach();
  for (let n = 1; n <= 3; n++) outbox.push(sample('b', n));
  await until(() => loads() === 1, 'it is kept');
  outbox.push(sample('b', 4));
  t.strictSame(numbers(), [1, 2, 3, 4]);
  t.match(records()[0], { spool: 1, from: 1, first: 1, identity: { box: 'b' } });
  t.match(records()[1], { exchange: 'e', routingKey: 'k', options: { messageId: 'b-1' }, body: '{"Sequence":1}' });
  confirm();
  t.match(records().at(-1), { through: 1 });
  for (let n = 2; n <= 4; n++) confirm();
  t.strictSame(readdirSync(own), [], 'removed when nothing is left');
});

t.test('writes at once when the link is lost', async (t) => {
  const { outbox, backup, numbers, loads } = make(t);
  backup.link(true);
  t.equal(loads(), 0, 'nothing to keep');
  outbox.push(sample('b', 1));
  outbox.push(sample('b', 2));
  t.strictSame(numbers(), [1, 2]);
});

t.test('at the end keeps what is left, and tells where', async (t) => {
  const { outbox, backup, own, attach, numbers } = make(t);
  attach();
  outbox.push(sample('b', 1));
  t.equal(backup.close(), join(own, 'b.spool'));
  t.strictSame(numbers(), [1]);
  t.equal(make(t, join(t.testdirName, 'other')).backup.close(), null, 'of nothing nothing');
});

t.test('a directory that cannot be used is one warning, and the messages stay in memory', async (t) => {
  const dir = t.testdir({ file: '' });
  for (const [spoolDir, text] of [
    [join(dir, 'file'), /spool \S+: it is no directory: remove what is there; .*in memory only/],
    [join(dir, 'open'), /spool \S+: others may replace what is in it.*chmod 1777/],
  ] as const) {
    if (spoolDir.endsWith('open')) {
      mkdirSync(spoolDir);
      chmodSync(spoolDir, 0o777);
    }
    const { outbox, backup, lines } = make(t, spoolDir);
    backup.link(true);
    for (let n = 1; n <= 5; n++) outbox.push(sample('b', n));
    t.equal(backup.close(), null);
    t.equal(outbox.length, 5);
    const warnings = lines.filter((line) => line.includes(': warn: '));
    t.equal(warnings.length, 1);
    t.match(warnings[0], text);
  }
});
