import { randomBytes } from 'node:crypto';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { ownGroup, withoutV1 } from '../fixtures/cgroups.js';
import { host, launch } from '../fixtures/keeper.js';
import { until } from '../fixtures/processes.js';

const V1 = { skip: withoutV1('pids') };

t.test('a sample has what was asked for, and nothing else', async (t) => {
  const { keeper, pid } = await launch(t, ['sleep', '1000']);
  const bare = await keeper.sample({});
  t.match(bare, { texts: [], pids: null, tree: null, usage: { userUsec: Number } });
  t.ok(bare.costUsec >= 0 && bare.costUsec < 100_000, `${bare.costUsec} us`);
  const { tree } = await keeper.sample({ walk: true, rows: 1, openFiles: true });
  t.strictSame(tree?.pids, [pid]);
  t.match(tree?.rows, [{ pid, ppid: keeper.pid, comm: 'sleep' }]);
  t.ok(tree?.openFiles.some(({ fd }) => fd === 0));
  t.strictSame((await keeper.sample({ walk: true })).tree?.openFiles, []);
  await keeper.kill();
});

t.test('files of groups are read anew each time, and no others', V1, async (t) => {
  const dir = `${ownGroup('pids')}/proc_box_test-${randomBytes(4).toString('hex')}`;
  mkdirSync(dir);
  const { keeper } = await launch(t, ['sleep', '1000']);
  const files = [`${dir}/pids.max`, `${dir}/pids.none`, '/etc/passwd', `${dir}/pids.current`];
  t.strictSame((await keeper.sample({ files })).texts, ['max\n', null, null, '0\n']);
  writeFileSync(`${dir}/pids.max`, '17');
  t.strictSame((await keeper.sample({ files })).texts, ['17\n', null, null, '0\n']);
  rmdirSync(dir);
  t.strictSame((await keeper.sample({ files })).texts, [null, null, null, null], 'a group that has gone');
  mkdirSync(dir);
  t.teardown(() => rmdirSync(dir));
  t.strictSame((await keeper.sample({ files })).texts, ['max\n', null, null, '0\n'], 'and one in its place');
  await keeper.kill();
});

t.test('a list that is short leads to a walk, a long one does not', V1, async (t) => {
  const list = `${ownGroup('pids')}/cgroup.procs`;
  const { keeper, pid } = await launch(t, ['sleep', '1000']);
  const long = await keeper.sample({ walk: true, list, walkMost: 1 });
  t.equal(long.tree, null);
  t.ok(long.pids?.includes(pid) && long.pids.includes(process.pid));
  const short = await keeper.sample({ walk: true, list, walkMost: 1_000_000 });
  t.strictSame(short.tree?.pids, [pid]);
  t.ok(short.pids?.includes(pid));
  t.match(await keeper.sample({ walk: true, list: '/etc/passwd', walkMost: 1 }), { pids: null, tree: { pids: [pid] } });
  await keeper.kill();
});

t.test('a keeper samples after the end of the job, and before its start', async (t) => {
  const { keeper, event } = host(t, ['true']);
  await event('hello');
  t.match(await keeper.sample({ walk: true, openFiles: true }), { tree: { pids: [], openFiles: [] } });
  const ended = await launch(t, ['sh', '-c', 'n=0; while [ $n -lt 100000 ]; do n=$((n+1)); done']);
  await ended.event('empty');
  const { usage, tree } = await ended.keeper.sample({ walk: true, openFiles: true });
  t.match(tree, { pids: [], openFiles: [] });
  t.ok(usage.userUsec > 10_000, 'what the keeper has reaped');
});

t.test(
  'while a walk over many processes goes on, the keeper answers others, and samples keep their order',
  async (t) => {
    const { keeper } = await launch(t, [
      'sh',
      '-c',
      'n=0; while [ $n -lt 400 ]; do sleep 1000 & n=$((n+1)); done; wait',
    ]);
    await until(async () => (await keeper.sample({ walk: true })).tree?.pids.length === 401, '401 processes');
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    const requests = [
      keeper.sample({ walk: true, pss: true }).then(note('walk')),
      keeper.sample({}).then(note('files')),
      keeper.stdoutMark(0).then(note('other')),
    ];
    await Promise.all(requests);
    t.strictSame(order, ['other', 'walk', 'files']);
    const all = await Promise.all(Array.from({ length: 40 }, () => keeper.sample({ walk: true })));
    t.ok(
      all.every(({ tree }) => tree?.pids.length === 401),
      'more than can wait',
    );
    await keeper.kill();
  },
);
