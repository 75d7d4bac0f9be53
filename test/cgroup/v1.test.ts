import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import type { Controller, Hierarchies, Place } from '../../src/cgroup/hierarchy.js';
import type { CgroupValue, CleanupStep } from '../../src/cgroup/types.js';
import { makeV1 as makeV1Task, readV1 as readV1Task, setV1 as setV1Task } from '../../src/cgroup/v1.js';
import { runHere } from '../../src/kernel/run-task.js';
import { known } from '../../src/kernel/task.js';
import type { CgroupLimitName } from '../../src/options/table/limits.js';
import { atOnce } from '../fixtures/at-once.js';

/** Ordinary files stand for the kernel's; they keep what is written, and are empty at first. */

const [makeV1, readV1, setV1] = [atOnce(makeV1Task), atOnce(readV1Task), atOnce(setV1Task)];

const NONE = '9223372036854771712';
const FILES = [
  ...['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 'cpu.cfs_period_us', 'cpu.cfs_quota_us', 'cpu.shares'],
  ...['cpuset.cpus', 'pids.max', 'blkio.throttle.read_bps_device', 'blkio.throttle.write_iops_device'],
];

function group(t: Test, files: Record<string, string> = {}) {
  const empty = Object.fromEntries(FILES.map((name) => [name, '']));
  const dir = t.testdir({ ...empty, ...files });
  return { dir, read: (name: string) => readFileSync(`${dir}/${name}`, 'utf8') };
}

t.test('a limit is written in the units of its file, and read back', async (t) => {
  const cases: readonly (readonly [CgroupLimitName, CgroupValue, CgroupValue, Record<string, string>])[] = [
    ['memory', 4096, 4096, { 'memory.limit_in_bytes': '4096' }],
    ['memory', 'unlimited', 'unlimited', { 'memory.limit_in_bytes': '-1' }],
    ['cpus', 1.5, 1.5, { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '150000' }],
    ['cpus', 'unlimited', 'unlimited', { 'cpu.cfs_quota_us': '-1' }],
    ['cpu-weight', 100, 100, { 'cpu.shares': '1024' }],
    ['cpu-weight', 250, 250, { 'cpu.shares': '2560' }],
    ['cpuset', '0-3,8', '0-3,8', { 'cpuset.cpus': '0-3,8' }],
    ['pids', 64, 64, { 'pids.max': '64' }],
    ['pids', 'unlimited', 'unlimited', { 'pids.max': 'max' }],
  ];
  for (const [name, value, inForce, files] of cases) {
    const { dir, read } = group(t);
    t.equal(setV1(dir, name, value), inForce, `${name} ${value}`);
    for (const [file, text] of Object.entries(files)) t.equal(read(file), text, file);
  }
  const { dir, read } = group(t);
  setV1(dir, 'cpu-weight', 0.001);
  t.equal(read('cpu.shares'), '2', 'the kernel takes no less');
});

t.test('what is in force is read, also where it is none', async (t) => {
  const { dir } = group(t, {
    'memory.limit_in_bytes': `${NONE}\n`,
    'memory.memsw.limit_in_bytes': `${NONE}\n`,
    'cpu.cfs_quota_us': '50000\n',
    'cpu.cfs_period_us': '200000\n',
    'cpu.shares': '2\n',
    'pids.max': 'max\n',
    'cpuset.cpus': '1\n',
  });
  t.strictSame(
    (['memory', 'swap', 'cpus', 'cpu-weight', 'pids', 'cpuset', 'memory-high'] as const).map((name) =>
      readV1(dir, name),
    ),
    ['unlimited', 'unlimited', 0.25, 1, 'unlimited', '1', null],
  );
  const bare = t.testdir({});
  t.strictSame(
    (['memory', 'swap', 'cpus', 'cpu-weight', 'pids', 'cpuset'] as const).map((name) => readV1(bare, name)),
    ['unlimited', 'unlimited', 'unlimited', null, 'unlimited', null],
  );
  const limits = group(t, { 'memory.limit_in_bytes': '100\n', 'memory.memsw.limit_in_bytes': '150\n' });
  t.equal(readV1(limits.dir, 'swap'), 50, 'v1 counts both together');
  const ceilings = { memory: 100, pids: 'unlimited', cpus: 'unlimited' } as const;
  for (const [name, value] of Object.entries(ceilings)) t.equal(readV1(limits.dir, name as 'memory'), value, name);
});

t.test('I/O is limited device by device, in a file for each kind', async (t) => {
  const { dir, read } = group(t);
  t.match(setV1(dir, 'io-max', [{ device: '8:0', rbps: 1048576, wiops: 'unlimited' }]), [
    { device: '8:0', rbps: 1048576 },
  ]);
  t.equal(read('blkio.throttle.read_bps_device'), '8:0 1048576');
  t.equal(read('blkio.throttle.write_iops_device'), '8:0 0', '0 takes a limit away');
});

t.test('swap beside the memory stays what it was', async (t) => {
  const swap = (limit: string, sum: string) =>
    group(t, { 'memory.limit_in_bytes': limit, 'memory.memsw.limit_in_bytes': sum });
  const more = swap('100', '150');
  setV1(more.dir, 'memory', 300);
  t.strictSame([more.read('memory.limit_in_bytes'), more.read('memory.memsw.limit_in_bytes')], ['300', '350']);
  const without = swap('200', '200');
  setV1(without.dir, 'memory', 100);
  t.strictSame([without.read('memory.limit_in_bytes'), without.read('memory.memsw.limit_in_bytes')], ['100', '100']);
  const given = swap('100', '100');
  t.equal(setV1(given.dir, 'swap', 50), 50);
  t.equal(given.read('memory.memsw.limit_in_bytes'), '150');
});

t.test('a limit that is refused is taken back, and the file named', async (t) => {
  const { dir } = group(t);
  t.throws(() => setV1(dir, 'memory-high', 1), { name: 'EnvironmentError', message: 'cgroup v1 has no memory.high' });
  t.throws(() => setV1(dir, 'swap', 50), {
    name: 'EnvironmentError',
    message: `write a swap limit to ${dir}/memory.memsw.limit_in_bytes: cgroup v1 limits memory and swap together; give --memory too`,
  });
  for (const [name, file, value] of [
    ['memory', 'memory.limit_in_bytes', '100'],
    ['cpus', 'cpu.cfs_period_us', '100000'],
    ['cpuset', 'cpuset.cpus', '100'],
    ['pids', 'pids.max', '100'],
    ['cpu-weight', 'cpu.shares', '1024'],
  ] as const) {
    const bare = t.testdir({});
    t.throws(() => setV1(bare, name, 100), { message: `write "${value}" to ${bare}/${file}: ENOENT` }, name);
  }
});

/** A hierarchy with a controller each, where the box's directories appear with the files of `files`. */
function hierarchies(t: Test, files: Record<string, Record<string, string>> = {}) {
  const dir = t.testdir({
    memory: {},
    cpu: {},
    cpuset: { 'cpuset.cpus': '0-3\n', 'cpuset.mems': '', 'cpuset.effective_mems': '0\n' },
  });
  symlinkSync(`${dir}/cpu`, `${dir}/cpuacct`);
  const place = (name: string): Place => ({ dir: `${dir}/${name}`, mount: `${dir}/${name}` });
  const v1 = new Map<Controller, Place>([
    ['memory', place('memory')],
    ['cpu', place('cpu')],
    ['cpuacct', place('cpu')],
    ['cpuset', place('cpuset')],
  ]);
  const found: Hierarchies = { v2: null, v1 };
  /** The kernel fills a new group at once; here it is done when the box joins it. */
  const joined: string[] = [];
  const join = (procs: string) => {
    joined.push(procs);
    const own = files[dirname(dirname(procs)).split('/').at(-1)!] ?? {};
    for (const [name, text] of Object.entries(own)) writeFileSync(`${dirname(procs)}/${name}`, text);
    return known<string | null>(null);
  };
  return { dir, found, joined, join };
}

t.test('a directory is made for each controller, one where two are mounted together', async (t) => {
  const { dir, found, joined, join } = hierarchies(t, { memory: { 'cgroup.procs': '' } });
  const told: (readonly CleanupStep[])[] = [];
  const groups = makeV1(found, ['cpu', 'cpuacct'], {
    name: 'box',
    beforeMaking: (steps) => {
      t.notOk(existsSync(`${dir}/cpu/box`), 'before it is made');
      told.push(steps);
    },
    adopt: { join },
  });
  const possible = ['memory', 'cpu', 'cpuset'].map((name) => `${dir}/${name}/box`);
  t.strictSame(groups.possible, possible);
  t.strictSame(told, [possible.map((path) => ({ op: 'rmdir', path }))]);
  t.strictSame(groups.dirs, [`${dir}/cpu/box`]);
  t.strictSame([groups.dir('cpu'), groups.dir('cpuacct')], [`${dir}/cpu/box`, `${dir}/cpu/box`]);
  t.strictSame(joined, [`${dir}/cpu/box/cgroup.procs`]);
  t.equal(groups.dir('memory'), undefined);
  t.equal(groups.why('memory'), 'memory was not asked for at the start');

  t.equal(runHere(groups.add('memory', () => known<readonly number[]>([]))), null, 'a running box gets one more');
  t.strictSame(groups.dirs, [`${dir}/cpu/box`, `${dir}/memory/box`]);
  t.equal(
    runHere(groups.add('pids', () => known<readonly number[]>([]))),
    'the pids controller of cgroup v1 is not mounted here',
  );
});

t.test('a controller that refuses is left out, with its reason', async (t) => {
  const { dir, found } = hierarchies(t);
  writeFileSync(`${dir}/memory/file`, '');
  const v1 = new Map(found.v1).set('memory', { dir: `${dir}/memory/file`, mount: `${dir}/memory` });
  const refused = makeV1({ v2: null, v1 }, ['memory', 'cpu'], { name: 'box' });
  t.equal(
    refused.why('memory'),
    `mkdir ${dir}/memory/file/box: ENOTDIR; ask the administrator to delegate memory (docs/limits.md)`,
  );
  t.strictSame(refused.dirs, [`${dir}/cpu/box`]);
  const notJoined = makeV1(found, ['memory'], {
    name: 'other',
    adopt: { join: () => known<string | null>('no room') },
  });
  t.equal(notJoined.why('memory'), 'no room');
  t.notOk(existsSync(`${dir}/memory/other`), 'an empty group is not left behind');
});

t.test('a cpuset begins with what the group around it has', async (t) => {
  const { dir, found } = hierarchies(t);
  const bare = makeV1(found, ['cpuset'], { name: 'box' });
  t.equal(bare.why('cpuset'), `write "0" to ${dir}/cpuset/box/cpuset.mems: ENOENT`);
  t.notOk(existsSync(`${dir}/cpuset/box`));
  // A directory that is there already is refused by mkdir(2), as the kernel refuses it.
  mkdirSync(`${dir}/cpuset/box`);
  t.match(makeV1(found, ['cpuset'], { name: 'box' }).why('cpuset'), /^mkdir .*: EEXIST/);
});
