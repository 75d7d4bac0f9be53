// test-timeout: 240s
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { sharedBroker, unique, until } from '../fixtures/broker.js';
import { connectOperator, type Json, type OperatedJob } from '../fixtures/operated-job.js';
import { type TestSpool, testSpool } from '../fixtures/spool.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

/** What the broker had not confirmed outlives its box: on disk, and delivered later. */

const uri = await sharedBroker(t);
const operator = await connectOperator(t, uri);
const port = Number(new URL(uri).port);
const EVERYTHING = ['-skey', 'unused', '-ekey', 'unused'];

/** Numbers in the order of their first arrival. */
const numbersOf = (job: OperatedJob) => [
  ...new Set(job.received.map(({ message }) => Number(message.properties.messageId.split('-')[1]))),
];
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

async function outage(t: Test, spool: TestSpool, options: string[] = []) {
  const proxy = await tcpProxy(t, port);
  const job = await operator.start(t, ['sleep', '1000'], {
    uri: proxy.uriOf(uri),
    options: ['-sint', '10ms', '-flush', '100ms', '--spool-dir', spool.dir, ...options],
  });
  await job.bound();
  await until(() => job.received.length > 20, 'samples arrive');
  await proxy.down();
  await until(() => spool.messages().length > 10, 'the spool grows');
  return { proxy, job };
}

t.test('a SIGKILL of the wrapper in an outage loses nothing: spool flush delivers it', async (t) => {
  const spool = testSpool(t);
  const { job } = await outage(t, spool);
  const live = await spool.run('flush', '-uri', uri);
  t.match(live, { status: 0, stdout: /1 files are in use/ }, 'not while its box lives');
  const before = spool.messages().at(-1)!.n;
  job.child.kill('SIGKILL');
  await job.ended;
  const kept = spool.messages();
  t.ok(kept.at(-1)!.n >= before);
  t.equal(statSync(spool.paths()[0]!).mode & 0o7777, 0o600);
  t.equal(statSync(`${spool.dir}/${process.geteuid?.()}`).mode & 0o7777, 0o700);
  t.notMatch(readFileSync(spool.paths()[0]!, 'utf8'), /guest:|amqp:/, 'no credentials');

  const flushed = await spool.run('flush', '-uri', uri, ...EVERYTHING);
  t.match(flushed, { status: 0, stdout: new RegExp(`delivered ${kept.length} messages of 1 files`) }, flushed.stderr);
  await until(() => numbersOf(job).length >= kept.at(-1)!.n, 'all have arrived');
  t.strictSame(numbersOf(job), upTo(kept.at(-1)!.n), 'none lost, none out of order');
  t.strictSame(spool.files(''), []);
  t.match(await spool.run('flush', '-uri', uri), { status: 0, stdout: /delivered 0 messages/ }, 'nothing is left');
});

t.test('the next box of the user delivers it beside its own messages', async (t) => {
  const spool = testSpool(t);
  const { job } = await outage(t, spool);
  job.child.kill('SIGINT');
  t.equal((await job.ended).code === 0, false);
  t.match(job.stderr(), /messages were not delivered within 100 ms; they are in \S+\.spool: the next box of this user/);
  const { n } = spool.messages().at(-1)!;
  const next = await operator.start(t, ['true'], { options: ['--spool-dir', spool.dir] });
  t.strictSame(await next.ended, { code: 0, signal: null });
  await until(() => numbersOf(job).length >= n, 'all have arrived');
  t.strictSame(numbersOf(job), upTo(n));
  t.match((await job.event('exited')).dropped, 0);
  t.match(next.stderr(), /spool: delivered \d+ messages of earlier boxes; 0 were lost/);
  t.strictSame(spool.files(''), []);
});

/** Little room in memory: some 20 messages of 4 kB. */
const LITTLE = ['--outbox-messages', '20', '--outbox-bytes', '200k'];

t.test('what memory has no room for waits on disk, and is delivered in order by the same box', async (t) => {
  const spool = testSpool(t);
  const { proxy, job } = await outage(t, spool, LITTLE);
  await until(() => spool.messages().length > 300, 'memory has been full many times');
  await proxy.up();
  await job.bound();
  t.match((await job.ask('status')).result, { dropped: 0, broker: { outbox: { dropped: 0 } } });
  // 100 samples a second may be more than a loaded machine delivers.
  await job.ask('change_sample_rate', ['1s']);
  await until(() => spool.messages().length < 3, 'what has waited is gone');
  await job.ask('kill');
  await job.ended;
  const exited = await job.event('exited');
  t.equal(exited.dropped, 0);
  t.strictSame(numbersOf(job), upTo(exited.sequence), 'none lost, none out of order');
  t.strictSame(spool.files(''), []);
});

t.test('a SIGKILL of the wrapper loses nothing of what only the disk has', async (t) => {
  const spool = testSpool(t);
  const { job } = await outage(t, spool, LITTLE);
  await until(() => spool.messages().length > 200, 'memory has been full many times');
  const before = spool.messages().at(-1)!.n;
  job.child.kill('SIGKILL');
  await job.ended;
  t.match(await spool.run('flush', '-uri', uri, ...EVERYTHING), { status: 0 });
  await until(() => numbersOf(job).length >= before, 'all have arrived');
  const numbers = numbersOf(job);
  t.strictSame(numbers, upTo(numbers.length), 'none lost, none out of order');
});

t.test('a SIGKILL at any moment after a link went silent loses nothing', async (t) => {
  for (const afterMs of [0, 20, 100, 300, 700]) {
    const spool = testSpool(t);
    const proxy = await tcpProxy(t, port);
    const job = await operator.start(t, ['sleep', '1000'], {
      uri: proxy.uriOf(uri),
      options: ['-sint', '10ms', '--spool-dir', spool.dir],
    });
    await job.bound();
    await until(() => job.received.length > 20, 'samples arrive');
    proxy.blackhole(true);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const before = spool.messages().at(-1)?.n ?? 0;
    job.child.kill('SIGKILL');
    await job.ended;
    t.match(await spool.run('flush', '-uri', uri, ...EVERYTHING), { status: 0 });
    await until(() => numbersOf(job).length >= before, 'all have arrived');
    const numbers = numbersOf(job);
    t.strictSame(numbers, upTo(numbers.length), `after ${afterMs} ms: none lost, none out of order`);
    await proxy.down();
  }
});

t.test('the spool of an outage that ends is emptied, and removed at the end of the box', async (t) => {
  const spool = testSpool(t);
  const { proxy, job } = await outage(t, spool);
  await proxy.up();
  // Samples go on, each of them is there for a moment.
  await until(() => spool.messages().length < 3, 'what has waited is gone');
  await job.bound();
  await job.ask('kill');
  await job.ended;
  t.strictSame(spool.files(''), []);
  t.match(await job.event('exited'), { dropped: 0 });
});

t.test('of a damaged and torn file only the broken records are lost; their number is published', async (t) => {
  const spool = testSpool(t);
  const { job } = await outage(t, spool);
  job.child.kill('SIGKILL');
  await job.ended;
  const [path] = spool.paths() as [string];
  const { n } = spool.messages().at(-1)!;
  const first = spool.messages()[0]!.n;
  const text = readFileSync(path, 'latin1');
  const at = text.indexOf(`{"n":${n - 1},`);
  writeFileSync(path, `${text.slice(0, at + 10)}#${text.slice(at + 11)}`, 'latin1');
  truncateSync(path, statSync(path).size - 5);
  t.match(await spool.run('list'), { status: 0, stdout: /waits .* 2 damaged .* user / });

  const flushed = await spool.run('flush', '-uri', uri, '-skey', 'unused', '-ekey', job.key.replace('.ctl', '.events'));
  t.match(flushed, { status: 1, stderr: /2 damaged and 0 refused records are lost.*set aside as \S+\.bad/ });
  const dropped: Json = await job.event('spool_dropped');
  t.match(dropped, { messages: 2, damaged: 2, no_room: 0, too_old: 0, refused: 0, state: 'ended' });
  const numbers = numbersOf(job).filter((number) => number >= first);
  t.strictSame(
    numbers.filter((number) => number < n - 1),
    upTo(n - 2).slice(first - 1),
  );
  t.strictSame([spool.files().length, spool.files('.bad').length], [0, 1]);
  t.match(await spool.run('flush', '-uri', uri), { status: 0 }, 'what was set aside is not sent again');
  t.match(await spool.run('list'), { stdout: /set aside/ });
});

t.test('what is over the bounds is dropped, oldest first, and its number published', async (t) => {
  const spool = testSpool(t);
  const { job } = await outage(t, spool, ['--spool-max-bytes', '40k']);
  await until(() => (spool.messages().at(-1)?.n ?? 0) > 80, 'it has gone over');
  const bytes = spool.paths().reduce((sum, path) => sum + statSync(path).size, 0);
  t.ok(bytes <= 40 * 1024, `the bound holds: ${bytes}`);
  job.child.kill('SIGKILL');
  await job.ended;
  const kept = spool.messages();
  const events = ['-skey', 'unused', '-ekey', job.key.replace('.ctl', '.events')];
  t.match(await spool.run('flush', '-uri', uri, ...events), {
    status: 0,
    stdout: /were lost, which spool_dropped events report/,
  });
  const dropped = await job.event('spool_dropped');
  t.equal(dropped.sequence + dropped.no_room, kept[0]!.n, 'exactly those before the first that was kept');
  t.strictSame(numbersOf(job).slice(-kept.length - 1, -1).length, kept.length);

  const aged = await outage(t, spool);
  aged.job.child.kill('SIGKILL');
  await aged.job.ended;
  const count = spool.messages().length;
  await until(() => Date.now() / 1000 > Number(spool.messages().at(-1)!.options['timestamp']) + 2, 'they are old');
  const flushed = await spool.run(
    'flush',
    '-uri',
    uri,
    '--spool-max-age',
    '1s',
    '-ekey',
    aged.job.key.replace('.ctl', '.events'),
  );
  t.match(flushed, {
    status: 0,
    stdout: /delivered \d+ messages/,
    stderr: new RegExp(`gave up ${count} messages: too old`),
  });
  t.match(await aged.job.event('spool_dropped'), { messages: count, too_old: count });
});

t.test('boxes that end at once in an outage keep a file each, and one flush delivers all', async (t) => {
  const spool = testSpool(t);
  const proxy = await tcpProxy(t, port);
  await proxy.down();
  const options = ['-flush', '0', '--spool-dir', spool.dir];
  const jobs = await Promise.all(upTo(6).map(() => operator.start(t, ['true'], { uri: proxy.uriOf(uri), options })));
  for (const job of jobs) t.strictSame(await job.ended, { code: 0, signal: null });
  t.equal(spool.files().length, 6);
  const [one, two] = await Promise.all([spool.run('flush', '-uri', uri), spool.run('flush', '-uri', uri)]);
  t.strictSame([one.status, two.status], [0, 0], one.stderr + two.stderr);
  for (const job of jobs) await job.event('exited');
  const ids = jobs.flatMap((job) => job.received.map(({ message }) => String(message.properties.messageId)));
  t.equal(new Set(ids).size, ids.length, 'two at once deliver nothing twice');
});

t.test('a broker that goes away meanwhile, or was never there, leaves the rest for the next time', async (t) => {
  const spool = testSpool(t);
  const { job } = await outage(t, spool);
  job.child.kill('SIGKILL');
  await job.ended;
  t.match(await spool.run('flush', '-uri', 'amqp://127.0.0.1:1', '--wait', '300ms'), {
    status: 125,
    stderr: /connection refused/,
  });
  t.equal(spool.files().length, 1);
  const exchange = unique('gone');
  t.match(await spool.run('flush', '-uri', uri, '-exchange', exchange), { status: 0 }, 'its own exchange counts');
  await operator.channel.deleteExchange(exchange);
  t.match(await spool.run('flush'), { status: 0, stdout: /delivered 0/ });
  t.match(await spool.run('list'), { status: 0, stdout: /The spool is empty/ });
});
