import { randomBytes } from 'node:crypto';
import { readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import t, { type Test } from 'tap';
import { createResourceControl, type ResourceControl } from '../../src/box/resource-control.js';
import { cgroupNames } from '../../src/box/resources.js';
import type { Watched } from '../../src/box/watchdog.js';
import { createCgroup } from '../../src/cgroup/create.js';
import { noCgroup } from '../../src/cgroup/none.js';
import { removeCgroup } from '../../src/cgroup/remove.js';
import type { BoxCgroup } from '../../src/cgroup/types.js';
import { allowedCpus } from '../../src/kernel/cpus.js';
import { inThisProcess, runHere } from '../../src/kernel/run-task.js';
import type { Resources } from '../../src/options/table/limits.js';
import { groupsAtOnce } from '../fixtures/at-once.js';
import { diskOf, groupsOfProcess, ownGroup, withoutV1 } from '../fixtures/cgroups.js';
import { keep } from '../fixtures/kept-job.js';
import { until } from '../fixtures/processes.js';

/** What `set_limit` does on a running box: ResourceControl.change on real groups with a real job in them. */

const need = (...controllers: string[]) => ({ skip: withoutV1(...controllers) });
const MIB = 2 ** 20;

interface Given {
  readonly control: ResourceControl;
  readonly cgroup: BoxCgroup;
  readonly pid: number;
  readonly exceeded: [string, number, number][];
  /** A file of the group in which the job is now. */
  file(controller: string, name: string): string;
}

async function given(
  t: Test,
  resources: Resources,
  more: { enforce?: 'strict'; cgroup?: BoxCgroup; look?: () => Watched } = {},
) {
  const name = `proc_box-test${randomBytes(4).toString('hex')}`;
  const limits = cgroupNames(resources);
  const request = {
    name,
    limits,
    stayBelow: true,
    scheduled: false,
    ourPids: [process.pid],
    below: [],
    oomGroup: true,
  };
  const cgroup = more.cgroup ?? runHere(createCgroup(request));
  t.teardown(() => runHere(removeCgroup(cgroup)));
  const exceeded: [string, number, number][] = [];
  const look = more.look ?? (() => ({}));
  const control = runHere(
    createResourceControl({
      resources,
      enforce: more.enforce ?? 'best-effort',
      cgroup,
      host: { allowedCpus: () => allowedCpus(null) },
      run: inThisProcess,
      sample: () => Promise.reject(new Error('no keeper in this test')),
      look: async () => ({ watched: look(), costMs: 0 }),
      onUsed: () => {},
      nextUsed: () => null,
      onExceeded: (...what) => exceeded.push(what),
    }),
  );
  t.teardown(() => control.stop());
  const job = await keep(t, ['sh', '-c', 'sleep 1000 & sleep 1000'], { ...cgroup, cleanup: [] });
  control.start();
  const file = (controller: string, of: string) => {
    const path = groupsOfProcess(job.pid)[controller] ?? '';
    const top = (ownGroup(controller) as string).split('/').slice(0, 5).join('/');
    return readFileSync(`${top}${path}/${of}`, 'utf8').trim();
  };
  const result: Given = { control, cgroup, pid: job.pid, exceeded, file };
  return result;
}

/** What the kernel has done since the last call. */
function incidents({ control, cgroup }: Given) {
  return control.incidents(groupsAtOnce(cgroup).usage());
}

t.test('memory up and down: swap beside it stays what it was', need('memory'), async (t) => {
  const { control, file } = await given(t, { memory: 64 * MIB });
  const both = () => [
    Number(file('memory', 'memory.limit_in_bytes')) / MIB,
    Number(file('memory', 'memory.memsw.limit_in_bytes')) / MIB,
  ];
  t.strictSame(both(), [64, 64]);
  t.strictSame(await control.change('memory', '128M'), { value: 128 * MIB, unit: 'bytes', enforcement: 'cgroup1' });
  t.strictSame(both(), [128, 128]);
  await control.change('memory', '32M');
  t.strictSame(both(), [32, 32], 'no swap has come in by the back door');
  t.strictSame((await control.change('swap', '16M')).value, 16 * MIB);
  t.strictSame(both(), [32, 48]);
  await control.change('memory', '64M');
  t.strictSame(both(), [64, 80]);
  t.equal((await control.change('memory', 'unlimited')).value, 'unlimited');
  t.ok(both().every((value) => value > 2 ** 40));
  await control.change('memory', '64M');
  t.equal(control.limits.get('memory')?.value, 64 * MIB);
});

t.test('memory on a box that had none: no swap either', need('memory'), async (t) => {
  const { control, file } = await given(t, {});
  await control.change('memory', '64M');
  t.equal(file('memory', 'memory.memsw.limit_in_bytes'), `${64 * MIB}`);
});

t.test('a limit of swap that v1 loses with that of memory comes back with it', need('memory'), async (t) => {
  const { control, file } = await given(t, { memory: 200 * MIB, swap: 50 * MIB });
  const both = () =>
    ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'].map((of) => Number(file('memory', of)) / MIB);
  const swap = () => control.limits.get('swap')?.value;
  t.strictSame([both(), swap()], [[200, 250], 50 * MIB]);
  t.equal((await control.change('memory', 'unlimited')).value, 'unlimited');
  t.strictSame([...(await control.reread()).keys()], ['swap'], 'it is told');
  t.equal(swap(), 'unlimited', 'what is in force');
  t.strictSame([...(await control.reread()).keys()], [], 'once');
  t.equal((await control.change('memory', '300M')).value, 300 * MIB);
  t.strictSame([...(await control.reread()).keys()], ['swap']);
  t.strictSame([both(), swap()], [[300, 350], 50 * MIB]);
  for (const [memory, sum] of [
    [100, 150],
    [180, 230],
    [160, 210],
    [400, 450],
  ]) {
    await control.change('memory', `${memory}M`);
    t.strictSame(both(), [memory, sum]);
    t.strictSame([...(await control.reread()).keys()], [], 'swap stays');
  }
  await control.change('swap', 'unlimited');
  await control.change('memory', '64M');
  t.equal(both()[0], 64);
  t.ok(both()[1]! > 2 ** 30);
  t.equal(swap(), 'unlimited');
  await control.change('swap', '0');
  t.strictSame([both(), swap()], [[64, 64], 0]);
  await control.change('memory', 'unlimited');
  await control.change('memory', '80M');
  await control.reread();
  t.strictSame([both(), swap()], [[80, 80], 0]);
});

t.test('what somebody else has changed is read back too', need('memory', 'pids'), async (t) => {
  const { control, cgroup } = await given(t, { memory: 64 * MIB, pids: 20 });
  const dir = cgroup.dirs.find((path) => path.includes('/pids/')) as string;
  writeFileSync(`${dir}/pids.max`, '17');
  await control.change('memory', '80M');
  t.strictSame([...(await control.reread())], [['pids', { value: 17, unit: 'count', enforcement: 'cgroup1' }]]);
  t.equal(control.limits.get('pids')?.value, 17);
});

t.test('pids', need('pids'), async (t) => {
  const { control, file } = await given(t, { pids: 20 });
  t.strictSame(await control.change('pids', '30'), { value: 30, unit: 'count', enforcement: 'cgroup1' });
  t.equal(file('pids', 'pids.max'), '30');
  t.equal((await control.change('pids', 'unlimited')).value, 'unlimited');
  t.equal(file('pids', 'pids.max'), 'max');
  await control.change('pids', '20');
  t.equal((await control.change('pids', '0')).value, 'unlimited', '0 is no limit');
  t.equal(file('pids', 'pids.max'), 'max');
});

t.test(
  'a controller that the box did not have at the start is added, with every process in it',
  need('cpu', 'cpuset', 'pids'),
  async (t) => {
    const { control, pid, cgroup, file } = await given(t, {});
    t.equal(groupsOfProcess(pid)['cpu'], groupsOfProcess(process.pid)['cpu'], 'not there yet');
    t.strictSame(await control.change('cpus', '0.5'), { value: 0.5, unit: 'cpus', enforcement: 'cgroup1' });
    t.equal(file('cpu', 'cpu.cfs_quota_us'), '50000');
    t.strictSame(await control.change('cpu-weight', '50'), { value: 50, unit: 'count', enforcement: 'cgroup1' });
    t.equal(file('cpu', 'cpu.shares'), '512');
    t.strictSame(await control.change('cpuset', '0'), { value: '0', unit: 'list', enforcement: 'cgroup1' });
    const all = readFileSync(cgroup.procsFile as string, 'utf8')
      .trim()
      .split('\n')
      .map(Number);
    t.equal(all.length, 3, 'shell and two sleeps');
    for (const member of all) {
      t.match(groupsOfProcess(member)['cpu'], 'proc_box-test');
      t.match(readFileSync(`/proc/${member}/status`, 'utf8'), /^Cpus_allowed_list:\s+0$/m);
    }
  },
);

t.test(
  'io-max',
  { skip: withoutV1('blkio') || (diskOf(tmpdir()) === undefined && 'needs a block device') },
  async (t) => {
    const { control, file } = await given(t, {});
    const disk = diskOf(tmpdir());
    const set = () => file('blkio', 'blkio.throttle.write_bps_device');
    t.strictSame(await control.change('io-max', `${tmpdir()}:wbps=1M`), {
      value: `${disk} wbps=1048576`,
      unit: 'list',
      enforcement: 'cgroup1',
    });
    t.equal(set(), `${disk} 1048576`);
    t.strictSame([...(await control.reread()).keys()], []);
    t.equal((await control.change('io-max', `${disk}:wbps=max`)).value, 'unlimited');
    t.equal(set(), '');
  },
);

t.test('bad values are refused, and what was in force stays', need('memory', 'pids', 'cpu', 'cpuset'), async (t) => {
  const { control, file } = await given(t, { memory: 64 * MIB, pids: 20 });
  const cases: [Parameters<ResourceControl['change']>[0], string, RegExp][] = [
    ['memory', 'lots', /"lots" is not a size/],
    ['pids', '-1', /is not a number from 1/],
    ['cpus', '-1', /is not a number of CPUs/],
    ['cpuset', '4095', /CPU 4095 may not be used here; allowed:/],
    ['io-max', '/dev/nothing:rbps=1', /ENOENT; expected a block device/],
    ['memory-high', '32M', /^memory-high is not held at all: cgroup v1 has no memory.high$/],
  ];
  for (const [name, text, message] of cases)
    await t.rejects(control.change(name, text), { message }, `${name} ${text}`);
  t.strictSame([...control.limits.keys()], ['memory', 'pids']);
  t.equal(file('memory', 'memory.limit_in_bytes'), `${64 * MIB}`);
  t.equal(file('pids', 'pids.max'), '20');
});

t.test('what no group can hold is watched, or refused', async (t) => {
  let memory = 10 * MIB;
  const look = () => ({ memory, pids: 1, 'cpu-time': 0 });
  const { control, exceeded } = await given(t, {}, { cgroup: noCgroup('--cgroup off'), look });
  await t.rejects(control.change('cpus', '1'), { message: 'cpus is not held at all: --cgroup off' });
  t.strictSame(await control.change('memory', '64M'), { value: 64 * MIB, unit: 'bytes', enforcement: 'watchdog' });
  memory = 65 * MIB;
  await until(() => exceeded.length > 0, 'the watchdog tells');
  t.strictSame(exceeded, [['memory', 65 * MIB, 64 * MIB]]);
  await control.change('memory', '60M');
  await until(() => exceeded.length > 1, 'a new limit is watched anew');
  t.strictSame(await control.change('memory', 'unlimited'), { value: 'unlimited', unit: 'bytes', enforcement: 'none' });
});

t.test('strict takes no watchdog later either', async (t) => {
  const { control } = await given(t, {}, { cgroup: noCgroup('--cgroup off'), enforce: 'strict' });
  await t.rejects(control.change('memory', '64M'), { message: 'memory is held by sampling only: --cgroup off' });
  t.equal(control.limits.size, 0);
});

t.test('incidents are counted since the last look', need('memory', 'pids'), async (t) => {
  const box = await given(t, { pids: 20 });
  const { control, cgroup } = box;
  t.match(incidents(box), { oomKills: 0, forksRefused: 0 });
  await control.change('pids', '3');
  const forks = await keep(t, ['sh', '-c', 'true & true & true & wait'], { ...cgroup, cleanup: [] }).catch(
    (error: Error) => error,
  );
  if (!(forks instanceof Error)) await forks.exited;
  t.ok(incidents(box).forksRefused >= 1);
  t.equal(incidents(box).forksRefused, 0, 'told once');
});

t.test('a group that disappears is told once, and counters do not go back', need('pids'), async (t) => {
  const box = await given(t, { pids: 20 });
  const { control, pid } = box;
  incidents(box);
  t.strictSame(control.lost(), []);
  const dir = `${ownGroup('pids')}/${(groupsOfProcess(pid)['pids'] as string).split('/').at(-1)}`;
  // A process may be forked meanwhile: again until the group is empty.
  await until(() => {
    for (const member of readFileSync(`${dir}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
      writeFileSync(`${ownGroup('pids')}/cgroup.procs`, member);
    }
    return readFileSync(`${dir}/cgroup.procs`, 'utf8') === '';
  }, 'the group is empty');
  rmdirSync(dir);
  t.match(incidents(box), { oomKills: 0, forksRefused: 0 });
  t.strictSame(control.lost(), ['pids may no longer be held: its cgroup1 group cannot be read']);
  incidents(box);
  t.strictSame(control.lost(), [], 'told once');
  t.equal((await control.change('pids', '30')).enforcement, 'watchdog', 'one rung down the ladder');
});
