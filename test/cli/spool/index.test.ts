import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { collect, fakeBox, foreignClient, sharedBroker, unique } from '../../fixtures/broker.js';
import { line, makeOwn, type TestSpool, testSpool } from '../../fixtures/spool.js';

/** `proc_box spool list` and `flush`: words, what is printed, exit status. */

const uri = await sharedBroker(t);
const uid = process.geteuid?.() ?? 0;
const isRoot = uid === 0;

/** A file of a box that has ended, with this number of messages under the key. */
function kept(spool: TestSpool, box: string, count: number, key = 'k.stats'): string {
  const { identity } = fakeBox({ box, job: '4711' });
  const messages = Array.from({ length: count }, (_, at) =>
    line({ n: at + 1, exchange: 'amq.topic', routingKey: key, options: { messageId: `${box}-${at + 1}` }, body: '{}' }),
  );
  const path = join(makeOwn(spool, uid), `${box}.spool`);
  writeFileSync(path, line({ spool: 1, identity, from: 1, first: 1 }) + messages.join(''), { mode: 0o600 });
  return path;
}

t.test('list: a line per file, with its state', async (t) => {
  const spool = testSpool(t);
  t.match(await spool.run('list'), { status: 0, stdout: 'The spool is empty.\n', stderr: '' });
  kept(spool, 'b1', 3);
  const torn = kept(spool, 'b2', 2);
  writeFileSync(torn, '{"torn', { flag: 'a' });
  chmodSync(kept(spool, 'b3', 1), 0o644);
  const { status, stdout } = await spool.run('list');
  t.equal(status, 0);
  t.match(stdout, /^waits +3 messages +\d+ B +.* old {2}user \S+ {2}job 4711 {2}\S+\/b1\.spool$/m);
  t.match(stdout, /^waits +2 messages, 1 damaged .*\/b2\.spool$/m);
  t.match(stdout, /^not trusted +\? messages .*job \? .*\/b3\.spool$/m);
});

t.test('list --json: the same for programs', async (t) => {
  const spool = testSpool(t);
  t.strictSame(JSON.parse((await spool.run('list', '--json')).stdout), { files: [] });
  kept(spool, 'b1', 3);
  const { files } = JSON.parse((await spool.run('list', '--json')).stdout);
  t.match(files, [{ box: 'b1', job: '4711', messages: 3, damaged: 0, state: 'waits', file: /b1\.spool$/ }]);
  t.ok(files[0].bytes > 0 && files[0].age_sec >= 0);
});

t.test('flush: reports deliveries as a sentence or as JSON', async (t) => {
  const spool = testSpool(t);
  const { channel } = await foreignClient(t, uri);
  const key = unique('k');
  const arrived = await collect(channel, 'amq.topic', key);
  kept(spool, 'b1', 3, key);
  kept(spool, 'b2', 2, key);
  t.match(await spool.run('flush', '-uri', uri), {
    status: 0,
    stdout: 'delivered 5 messages of 2 files\n',
    stderr: '',
  });
  await arrived.count(5);
  kept(spool, 'b3', 1, key);
  const { stdout } = await spool.run('flush', '-uri', uri, '--json');
  t.match(JSON.parse(stdout), { messages: 1, files: 1, dropped: 0, inUse: 0, left: 0, bad: 0 });
});

t.test(
  'directories with a wrong owner make the flush fail, and only some of them are named',
  { skip: !isRoot && 'needs root' },
  async (t) => {
    const spool = testSpool(t);
    // Root owns them, but their names are those of other users.
    for (let other = 70_000; other < 70_025; other++)
      mkdirSync(join(spool.dir, String(other)), { recursive: true, mode: 0o700 });
    const { status, stdout, stderr } = await spool.run('flush', '-uri', uri);
    t.equal(status, 1);
    t.match(stdout, 'delivered 0 messages');
    t.equal(stderr.match(/it belongs to uid 0/g)?.length, 20);
    t.match(stderr, /warn: spool \S+: 5 more warnings are not shown\n$/);
  },
);

t.test('says what is wrong with its words', async (t) => {
  const spool = testSpool(t);
  t.match(await spool.run('flush', '-uri', 'none'), { status: 125, stderr: /give the URI of the broker/ });
  t.match(await spool.run('flush', '--wait', 'soon'), { status: 125, stderr: /--wait/ });
  t.match(await spool.run('list', 'more'), { status: 125, stderr: /expected "spool list" or "spool flush"/ });
  t.match(await spool.run('list', '--spool-dri', 'x'), { status: 125, stderr: /spool-dir/ });
  t.match(await spool.run('list', '--help'), { status: 0, stdout: /usage: proc_box spool list/ });
  t.match(await spool.run('flush', '--help', '--wait', 'soon'), { status: 0, stdout: /usage: proc_box spool list/ });
});

t.test('a spool that cannot be used is an error', async (t) => {
  const spool = testSpool(t);
  writeFileSync(spool.dir, '');
  t.match(await spool.run('list'), { status: 125, stdout: '', stderr: /^proc_box: error: [^\n]*spool[^\n]*\n$/ });
});
