import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostSample, type Keeper, type SampleOptions, type TreeSample } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { launch } from '../fixtures/keeper.js';
import { childrenOf, processState, until } from '../fixtures/processes.js';
import { job, temporaryFolder } from '../fixtures/run.js';

/** The processes of the box, as its keeper sees them. */
async function sampleOf(keeper: Keeper, options: SampleOptions = {}): Promise<TreeSample> {
  return (await keeper.sample({ ...options, walk: true })).tree!;
}

async function tree(t: Test, ...shapes: string[]) {
  const note = join(temporaryFolder(t), 'note');
  const launched = await launch(t, job('tree.py', note, ...shapes));
  await until(() => existsSync(`${note}.ready`), 'the tree is there');
  if (shapes.includes('memory')) await until(() => existsSync(note), 'the memory is touched');
  return launched;
}

t.test('grandchildren count', async (t) => {
  const { keeper, pid } = await tree(t, 'grandchildren');
  const { pids } = await until(async () => {
    const sample = await sampleOf(keeper);
    return sample.pids.length === 4 && sample;
  }, 'four processes');
  t.equal(pids[0], pid, 'parents come before children');
  for (let n = 1; n < pids.length; n++) t.equal(processState(pids[n]!)?.ppid, pids[n - 1]);
  await keeper.kill();
});

t.test('children that a thread has forked count, and so do threads', async (t) => {
  const { keeper, pid } = await tree(t, 'threads');
  const sample = await until(async () => {
    const sample = await sampleOf(keeper);
    return sample.pids.length === 2 && sample;
  }, 'two processes');
  t.equal(sample.threads, 3);
  t.strictSame(childrenOf(pid), sample.pids.slice(1));
  await keeper.kill();
});

t.test('sessions of their own and daemons count', async (t) => {
  const { keeper, pid } = await tree(t, 'setsid');
  const { pids } = await until(async () => {
    const sample = await sampleOf(keeper);
    return sample.pids.length === 3 && sample;
  }, 'three processes');
  const parents = pids.map((member) => processState(member)?.ppid).sort();
  t.strictSame(parents, [keeper.pid, keeper.pid, pid].sort(), 'the daemon has come to the keeper');
  await keeper.kill();
});

t.test('a zombie is no live process; its CPU counts', async (t) => {
  const { keeper, pid } = await tree(t, 'zombie');
  await until(() => processState(childrenOf(pid)[0]!)?.state === 'Z', 'its child has ended');
  const { pids, threads } = await sampleOf(keeper);
  t.strictSame(pids, [pid]);
  t.equal(threads, 1);
  await keeper.kill();
});

t.test('CPU of ended children is kept', async (t) => {
  const { keeper, event } = await tree(t, 'ended');
  const { userUsec, systemUsec, pids } = await sampleOf(keeper);
  t.equal(pids.length, 1);
  t.ok(userUsec + systemUsec >= 290_000, `${userUsec + systemUsec} us`);
  await keeper.kill();
  const { usage } = await event('empty');
  t.ok(usage.userUsec + usage.systemUsec >= 290_000, 'and still after the end of all');
});

t.test('memory is that of now, by kind, with the largest processes', async (t) => {
  const { keeper, pid } = await tree(t, 'memory', 'grandchildren');
  await until(() => childrenOf(pid).every((child) => processState(child)?.state === 'S'), 'all sleep');
  const sample = await sampleOf(keeper, { rows: 2, pss: true, openFiles: true });
  const large = 40 * 2 ** 20;
  t.ok(sample.rssBytes > large);
  t.ok(sample.vmsBytes > sample.rssBytes);
  t.ok(sample.anonBytes > large && sample.anonBytes < sample.rssBytes);
  t.ok(sample.fileBytes > 0);
  t.equal(sample.anonBytes + sample.fileBytes + sample.shmemBytes > sample.rssBytes * 0.9, true);
  t.ok(sample.pssBytes > large && sample.pssBytes <= sample.rssBytes, `pss ${sample.pssBytes}, rss ${sample.rssBytes}`);
  t.equal(sample.rows.length, 2);
  const [first, second] = sample.rows as [(typeof sample.rows)[0], (typeof sample.rows)[0]];
  t.ok(first.rssBytes > large && first.rssBytes > second.rssBytes);
  t.match(first, { ppid: pid, state: 'S', threads: 1 });
  t.match(first.comm, /python/);
  t.ok(sample.openFiles.some(({ fd, path }) => fd === 0 && path.length > 0));
  t.equal((await sampleOf(keeper)).pssBytes, -1, 'not asked for');
  t.strictSame((await sampleOf(keeper)).rows, []);
  await keeper.kill();
});

t.test('a tree that comes and goes never throws', async (t) => {
  const { keeper } = await launch(t, [
    'sh',
    '-c',
    'n=0; while [ $n -lt 2000 ]; do (true & true) & n=$((n+1)); done; wait',
  ]);
  let most = 0;
  for (let n = 0; n < 300; n++) {
    const { pids, rssBytes } = await sampleOf(keeper, { rows: 3, openFiles: true });
    most = Math.max(most, pids.length);
    if (pids.length > 0 && rssBytes < 0) t.fail('negative memory');
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(most >= 1, `${most} processes at once`);
  await keeper.kill();
});

t.test('names with blanks and brackets do not shift the fields', async (t) => {
  const { keeper, pid } = await launch(t, ['bash', '-c', `printf 'a) R 1 (b' > /proc/$$/comm; sleep 1000 & wait`]);
  const row = await until(
    async () =>
      (await sampleOf(keeper, { rows: 5 })).rows.find(({ comm, state }) => comm === 'a) R 1 (b' && state === 'S'),
    'the name, asleep',
  );
  t.match(row, { pid, ppid: keeper.pid, threads: 1 });
  t.ok(row.rssBytes > 100_000 && row.rssBytes < 2 ** 30);
  await keeper.kill();
});

t.test('hostSample tells what /proc tells', async (t) => {
  const { uptimeSec, processes, swapUsedBytes } = hostSample();
  t.ok(Math.abs(uptimeSec - Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])) <= 1.5);
  const listed = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
  t.ok(Math.abs(processes - listed) < 30, `${processes} and ${listed}`);
  t.ok(swapUsedBytes >= 0);
});
