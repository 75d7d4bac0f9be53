import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Journal, type JournalOptions } from '../../src/spool/journal.js';
import type { MessageRecord } from '../../src/spool/record.js';
import { decode, encode } from '../../src/spool/record.js';
import { jobIdentity, linesLogger } from '../fixtures/light.js';
import { temporaryFolder } from '../fixtures/run.js';

/** Eight segments of 8 kB, each for four messages of less than 2 kB. */
const BOUNDS = { maxBytes: 64_000, maxAgeMs: 86_400_000 };
const identity = jobIdentity({ box: 'box1' });
const message = (n: number, bytes = 1700): MessageRecord => ({
  n,
  exchange: 'x',
  routingKey: 'k',
  options: {},
  body: 'x'.repeat(bytes),
});
const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, index) => message(from + index));

async function journal(t: Test, more: Partial<JournalOptions> = {}) {
  const dir = temporaryFolder(t);
  const { log, lines } = linesLogger();
  const lost: (readonly [number, string])[] = [];
  const made = await Journal.open({
    spoolDir: dir,
    bounds: BOUNDS,
    identity,
    inMemory: () => 0,
    onLost: (messages, why) => lost.push([messages, why]),
    log,
    ...more,
  });
  const own = join(dir, String(process.geteuid!()));
  const files = () => readdirSync(own).sort();
  const records = () =>
    files().flatMap((name) =>
      readFileSync(join(own, name), 'utf8')
        .split('\n')
        .flatMap((line) => decode(line) ?? []),
    );
  const keep = async (messages: readonly MessageRecord[]) => {
    for (let rest = messages; rest.length > 0; ) rest = rest.slice(await made.append(rest));
  };
  const readAll = async () => {
    const numbers: number[] = [];
    await made.read(({ n }) => numbers.push(n) > 0);
    return numbers;
  };
  return { journal: made, lost, lines, own, files, records, keep, readAll };
}

t.test('messages are kept in numbered files, and read back once', async (t) => {
  const { journal: one, files, keep, readAll, own } = await journal(t);
  t.match(one.path, /\/box1\.\*\.spool$/, 'before anything is kept');
  await keep(upTo(3));
  t.strictSame(files(), ['box1.000001.spool']);
  t.match(one.path, /\/box1\.000001\.spool$/);
  await keep(upTo(7, 4));
  t.strictSame(files(), ['box1.000001.spool', 'box1.000002.spool', 'box1.000003.spool']);
  t.match(one.path, /\/box1\.\*\.spool$/);
  t.equal(one.unread, 10);
  const first: number[] = [];
  await one.read(({ n }) => first.push(n) < 3);
  t.strictSame(first, [1, 2, 3]);
  t.equal(one.unread, 7);
  t.strictSame(await readAll(), [4, 5, 6, 7, 8, 9, 10]);
  t.strictSame(await readAll(), []);
  await one.leave();
  t.ok(
    files().every((name) => statSync(join(own, name)).size > 0),
    'they stay for whoever delivers them',
  );
});

t.test('what is in memory as well is not read back', async (t) => {
  let inMemory = 2;
  const { journal: one, keep, readAll } = await journal(t, { inMemory: () => inMemory });
  await keep(upTo(4));
  t.equal(one.unread, 2);
  inMemory = 3;
  t.strictSame(await readAll(), [4]);
  await one.remove();
});

t.test('what is confirmed goes: file by file, and the last down to its head', async (t) => {
  const { journal: one, files, records, keep } = await journal(t);
  await keep(upTo(6));
  await one.done(2);
  t.match(
    records().filter((record) => 'through' in record),
    [{ through: 2 }],
  );
  await one.done(1);
  t.equal(records().filter((record) => 'through' in record).length, 1, 'what was marked is not marked again');
  await one.done(5);
  t.strictSame(files(), ['box1.000002.spool']);
  await one.done(6);
  t.match(records(), [{ spool: 1, first: 5 }], 'the file that is written to stays, for the next message');
  await keep(upTo(1, 7));
  t.strictSame(files(), ['box1.000002.spool']);
  await one.remove();
  t.strictSame(files(), []);
});

t.test('where it is full the oldest is given up, but for a head that tells of it', async (t) => {
  const { journal: one, files, records, keep, lost, readAll } = await journal(t);
  await keep(upTo(50));
  const [head] = records();
  t.match(head, { spool: 1, from: 1 });
  const first = head !== undefined && 'spool' in head ? head.first : 0;
  t.ok(first > 10 && first < 30, `the first that is left is ${first}`);
  t.equal(files()[0] === 'box1.000001.spool', false, 'several heads became one');
  t.equal(
    lost.reduce((sum, [messages]) => sum + messages, 0),
    first - 1,
  );
  t.ok(lost.every(([, why]) => why === 'the spool is full (--spool-max-bytes)'));
  t.strictSame(
    await readAll(),
    upTo(51 - first, first).map(({ n }) => n),
  );
  await one.done(50);
  t.equal(files().length, 1, 'the head goes with what it stood for');
  await one.remove();
});

t.test('a message that finds no room is refused, and nothing has changed', async (t) => {
  const { journal: one, keep, own, records } = await journal(t);
  await t.rejects(one.append([message(1, 70_000)]), {
    code: 'EDQUOT',
    message: /^no room for a message of 70\d{3} bytes within --spool-max-bytes$/,
  });
  await keep(upTo(2));
  const other = `${encode({ spool: 1, identity, from: 1, first: 1 })}`;
  writeFileSync(join(own, 'live.1.spool'), other, { mode: 0o600 });
  await t.rejects(one.append([message(3, 63_900)]), { message: /: other boxes of this user occupy the rest$/ });
  t.match(
    records().filter((record) => 'n' in record),
    [],
    'its own older ones were given up for it',
  );
  await one.remove();
});

t.test('a message that is longer than a segment has one of its own', async (t) => {
  const { journal: one, files, keep } = await journal(t);
  await keep([message(1), message(2, 20_000), message(3)]);
  t.equal(files().length, 3);
  await one.remove();
});

t.test('what the disk has damaged is counted as lost', async (t) => {
  const { journal: one, own, keep, lost, readAll } = await journal(t);
  await keep(upTo(3));
  const path = join(own, 'box1.000001.spool');
  const lines = readFileSync(path, 'utf8').split('\n');
  writeFileSync(path, [lines[0], lines[1], lines[2]!.replace('x', 'y'), lines[3], ''].join('\n'), { flag: 'r+' });
  t.strictSame(await readAll(), [1, 3]);
  t.strictSame(lost, [[1, 'damaged on disk']]);
  t.equal(one.unread, 0);
  await one.remove();
});

t.test('without a directory there is no journal', async (t) => {
  await t.rejects(journal(t, { spoolDir: '/dev/null' }), {
    name: 'EnvironmentError',
    message: /^spool \/dev\/null\/\d+: it is not a directory: remove it$/,
  });
});
