// test-timeout: 240s
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { flushFolders, ownersOnly } from '../../../src/cli/spool/flush.js';
import { EnvironmentError } from '../../../src/errors.js';
import { type Folder, NOTHING } from '../../../src/spool/index.js';
import type { MessageRecord } from '../../../src/spool/record.js';
import { collect, fakeBox, foreignClient, sharedBroker, specFor, unique } from '../../fixtures/broker.js';
import { linesLogger } from '../../fixtures/light.js';
import { line, makeOwn, type TestSpool, testSpool } from '../../fixtures/spool.js';

/** Root flushes the files of all users: whatever one of them has left there, the others' messages arrive. */

const uri = await sharedBroker(t);
const skip = process.geteuid?.() !== 0 && 'needs root';
const MALLORY = 54_321;
const ALICE = 54_322;

interface Site {
  readonly spool: TestSpool;
  /** Prefix of the keys. */
  readonly name: string;
  /** Message ids in the order of their arrival. */
  readonly arrived: (count: number) => Promise<string[]>;
  /** A file of the user with these lines. */
  readonly file: (uid: number, box: string, lines: readonly string[]) => string;
  readonly flush: (...options: string[]) => ReturnType<TestSpool['run']>;
}

async function site(t: Test): Promise<Site> {
  const spool = testSpool(t);
  const name = unique('k');
  const { channel } = await foreignClient(t, uri);
  const { count } = await collect(channel, 'amq.topic', `${name}.#`);
  const keys = ['-skey', `${name}.stats`, '-ekey', `${name}.events`];
  return {
    spool,
    name,
    arrived: async (wanted) => (await count(wanted)).map(({ properties }) => String(properties.messageId)),
    file(uid, box, lines) {
      const own = makeOwn(spool, uid);
      const path = join(own, `${box}.spool`);
      writeFileSync(path, lines.join(''), { mode: 0o600 });
      for (const made of [own, path]) chownSync(made, uid, uid);
      return path;
    },
    flush: (...options) => spool.run('flush', '-uri', uri, ...keys, ...options),
  };
}

function head(uid: number, box: string): string {
  return line({ spool: 1, identity: fakeBox({ user: String(uid), box }).identity, from: 1, first: 1 });
}

function message(site: Site, uid: number, box: string, n: number, more: Partial<MessageRecord> = {}): string {
  const body = JSON.stringify({ Sequence: n, Identity: { user: String(uid), box } });
  const routingKey = `${site.name}.stats.h`;
  return line({ n, exchange: 'amq.topic', routingKey, options: { messageId: `${box}-${n}` }, body, ...more });
}

t.test('root publishes of others only what their boxes would have sent', async (t) => {
  const check = ownersOnly({ exchange: 'amq.topic', statsKey: 'k.stats', eventsKey: 'k.events' }, String(MALLORY));
  const message = (more: Partial<MessageRecord> = {}): MessageRecord => {
    const body = JSON.stringify({ Sequence: 1, Identity: { user: String(MALLORY), box: 'b' } });
    return { n: 1, exchange: 'amq.topic', routingKey: 'k.stats.h', options: { messageId: 'b-1' }, body, ...more };
  };
  t.equal(check(message()), undefined);
  t.match(check(message({ exchange: 'other' })), /exchange "other"/);
  t.match(check(message({ routingKey: 'proc_box.remote_control' })), /not below --skey or --ekey/);
  t.match(check(message({ routingKey: 'k.statsx.h' })), /not below/);
  t.match(check(message({ body: '{"Identity":{"user":"alice"}}' })), /it names user "alice"/);
  t.match(
    check(message({ body: `{"Identity":{"user":"${MALLORY}"},"identity":{"user":"alice"}}` })),
    /it names no user/,
  );
  t.match(check(message({ body: 'boo' })), /it names no user/);
});

/** A folder that only says which files it has. */
const folderOf = (names: () => Promise<string[]>) => ({ uid: process.geteuid?.() ?? 0, names }) as unknown as Folder;

t.test('without spooled messages no broker is asked', async (t) => {
  const { log, lines } = linesLogger();
  const spec = specFor('amqp://127.0.0.1:1');
  const empty = folderOf(async () => []);
  t.strictSame(await flushFolders([empty, empty], spec, { waitMs: 60_000, mostMs: 60_000, log }), NOTHING);
  t.strictSame(lines, []);
});

t.test(
  'a broker that cannot be used in time is an error with its reason, also for a folder that cannot be read',
  async (t) => {
    const { log } = linesLogger();
    const unreadable = folderOf(() => Promise.reject(new EnvironmentError('spool: EIO')));
    const flush = flushFolders([unreadable], specFor('amqp://127.0.0.1:1'), { waitMs: 100, mostMs: 60_000, log });
    await t.rejects(flush, { name: 'BrokerError', message: /127\.0\.0\.1:1: connection refused/ });
  },
);

t.test(
  'what AMQP cannot carry is refused, the rest of its file and the files of others are delivered',
  { skip },
  async (t) => {
    const s = await site(t);
    const deep = JSON.parse(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`);
    const impossible: Partial<MessageRecord>[] = [
      { routingKey: `${s.name}.stats.${'x'.repeat(300)}` },
      { routingKey: `${s.name}.stats.${'é'.repeat(130)}` },
      ...[
        { priority: 1e9 },
        { priority: -1 },
        { priority: 1.5 },
        { timestamp: -1 },
        { timestamp: 1e300 },
        { expiration: 'soon' },
        { expiration: '99999999999' },
        { contentType: 'x'.repeat(256) },
        { messageId: 'x'.repeat(256) },
        { headers: deep },
        { headers: { a: { '!': 'decimal', value: 'boo' } } },
        { headers: { ['x'.repeat(256)]: 1 } },
        { headers: { a: 'x'.repeat(10_000) } },
      ].map((options) => ({ options })),
    ];
    const lines = impossible.map((more, index) => message(s, MALLORY, 'm', index + 2, more));
    s.file(MALLORY, 'm', [head(MALLORY, 'm'), message(s, MALLORY, 'm', 1), ...lines, message(s, MALLORY, 'm', 100)]);
    s.file(ALICE, 'a', [head(ALICE, 'a'), message(s, ALICE, 'a', 1)]);
    const flushed = await s.flush();
    t.match(flushed, {
      status: 1,
      stdout: /^delivered 4 messages of 2 files; \d+ were lost.*; 1 files were set aside/,
    });
    t.match(flushed.stderr, new RegExp(`0 damaged and ${impossible.length} refused records are lost`), flushed.stderr);
    t.match(flushed.stderr, /message 2 was not published: its routing key has \d+ bytes: AMQP carries at most 255/);
    t.strictSame((await s.arrived(4)).sort(), ['a-1', 'm-1', 'm-100', 'm-2'], 'm-2 tells of what is lost');
  },
);

t.test('a sparse file of 1 TB, lines without end and millions of empty ones hold up nobody', { skip }, async (t) => {
  const s = await site(t);
  truncateSync(s.file(MALLORY, 'sparse', [head(MALLORY, 'sparse')]), 2 ** 40);
  truncateSync(s.file(MALLORY, 'long', [head(MALLORY, 'long'), message(s, MALLORY, 'long', 1)]), 31 * 2 ** 20);
  s.file(MALLORY, 'lines', ['\n'.repeat(20 * 2 ** 20)]);
  s.file(ALICE, 'a', [head(ALICE, 'a'), message(s, ALICE, 'a', 1)]);
  t.match(await s.spool.run('list'), { status: 0, stdout: /not trusted .* 1 TiB / });
  const flushed = await s.flush();
  t.match(flushed, { status: 1, stdout: /; 3 files were set aside/ }, flushed.stderr);
  t.match(flushed.stderr, /sparse\.spool: it has 1099511627776 bytes, and no box writes more/);
  t.match(flushed.stderr, /long\.spool: 1 damaged/);
  t.match(flushed.stderr, /lines\.spool: it has more than 10000 damaged records/);
  t.strictSame(new Set(await s.arrived(3)), new Set(['a-1', 'long-1']), 'long-1, and an event in its place');
});

t.test("hundreds of small files of one user do not come before another user's one", { skip }, async (t) => {
  const s = await site(t);
  for (let n = 1000; n < 1200; n++) s.file(MALLORY, `m${n}`, [head(MALLORY, `m${n}`), message(s, MALLORY, `m${n}`, 1)]);
  s.file(ALICE, 'a', [head(ALICE, 'a'), message(s, ALICE, 'a', 1)]);
  t.match(await s.flush(), { status: 0, stdout: /delivered 201 messages/ });
  t.ok((await s.arrived(201)).indexOf('a-1') < 3, 'they take turns');
});

t.test(
  'a file that the broker refuses is set aside with its words, and the next ones are delivered',
  { skip },
  async (t) => {
    const s = await site(t);
    const own = process.geteuid?.() ?? 0;
    const gone = unique('gone');
    const bad = s.file(own, 'b1', [
      head(own, 'b1'),
      message(s, own, 'b1', 1),
      message(s, own, 'b1', 2, { exchange: gone }),
    ]);
    s.file(own, 'b2', [head(own, 'b2'), message(s, own, 'b2', 1)]);
    s.file(ALICE, 'a', [head(ALICE, 'a'), message(s, ALICE, 'a', 1)]);
    const flushed = await s.flush();
    t.match(flushed, { status: 1, stdout: /1 files were set aside/ }, flushed.stderr);
    t.match(flushed.stderr, new RegExp(`b1\\.spool: the broker refuses it: .*NOT_FOUND - no exchange '${gone}'`));
    t.ok(existsSync(`${bad}.bad`));
    const arrived = await s.arrived(4);
    t.ok(
      ['b1-1', 'b2-1', 'a-1'].every((id) => arrived.includes(id)),
      arrived.join(),
    );
    renameSync(`${bad}.bad`, bad);
    const { channel } = await foreignClient(t, uri);
    await channel.assertExchange(gone, 'fanout', { autoDelete: false, durable: false });
    t.match(await s.flush(), { status: 0 }, 'what was set aside is delivered once its name is the old one again');
    await channel.deleteExchange(gone);
  },
);

t.test('--max-time bounds everything, and what is left stays', { skip }, async (t) => {
  const s = await site(t);
  const many = Array.from({ length: 3_000 }, (_, index) => message(s, ALICE, 'a', index + 1));
  const path = s.file(ALICE, 'a', [head(ALICE, 'a'), ...many]);
  const flushed = await s.flush('--max-time', '1ms');
  t.match(flushed.status === 125 || (flushed.status === 1 && /--max-time/.test(flushed.stderr)), true, flushed.stderr);
  t.ok(existsSync(path));
  t.match(await s.flush(), { status: 0 });
  t.equal((await s.arrived(3_000)).at(-1), 'a-3000');
});

t.test('files with names that no box gives are passed over', { skip }, async (t) => {
  const s = await site(t);
  s.file(MALLORY, 'x'.repeat(220), [head(MALLORY, 'm'), message(s, MALLORY, 'm', 1)]);
  s.file(MALLORY, 'a\nb', [head(MALLORY, 'm'), message(s, MALLORY, 'm', 1)]);
  execFileSync('touch', [join(makeOwn(s.spool, MALLORY), '\x1b[2J.spool')]);
  s.file(ALICE, 'a', [head(ALICE, 'a'), message(s, ALICE, 'a', 1)]);
  t.match(await s.flush(), { status: 0, stdout: /delivered 1 messages of 1 files/, stderr: '' });
});
