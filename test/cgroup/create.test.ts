import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import { type CgroupRequest, createCgroup } from '../../src/cgroup/create.js';
import { killCgroup, releaseCgroup, removeCgroup } from '../../src/cgroup/remove.js';
import type { CleanupStep } from '../../src/cgroup/types.js';

/**
 * Ordinary directories stand for hierarchies, so a new group has no files of its own, and none of v2's controllers: what the
 * kernel does is tested in test/kernel. Here it is which group would serve what, and what is said where none does.
 */

interface Host {
  readonly v2?: boolean;
  readonly v1?: readonly string[];
  /** Files of our own group in a hierarchy. */
  readonly files?: Readonly<Record<string, Record<string, string>>>;
}

function host(t: Test, { v2 = false, v1 = [], files = {} }: Host) {
  const names = [...(v2 ? ['unified'] : []), ...v1];
  const groups = names.map((name) => [name, { top: { ours: { 'cgroup.procs': '', ...files[name] } } }] as const);
  const dir = t.testdir({ ...Object.fromEntries(groups), proc: { self: {} } });
  const mount = (name: string) => {
    const type = name === 'unified' ? 'cgroup2' : 'cgroup';
    return `31 23 0:28 / ${dir}/${name} rw shared:9 - ${type} ${type} rw,${name}`;
  };
  writeFileSync(`${dir}/proc/self/mountinfo`, names.map(mount).join('\n'));
  const lines = names.map((name) => (name === 'unified' ? '0::/top/ours' : `3:${name}:/top/ours`));
  writeFileSync(`${dir}/proc/self/cgroup`, `${lines.join('\n')}\n`);
  const told: CleanupStep[] = [];
  const create = (more: Partial<CgroupRequest> = {}) =>
    createCgroup({
      name: 'box',
      limits: [],
      stayBelow: true,
      scheduled: false,
      ourPids: [],
      below: [],
      oomGroup: false,
      beforeMaking: (steps) => told.push(...steps),
      proc: `${dir}/proc`,
      ...more,
    });
  const ours = (name: string) => `${dir}/${name}/top/ours`;
  const made = () => names.filter((name) => existsSync(`${ours(name)}/box`));
  return { dir, ours, create, made, told };
}

t.test('a host without control groups holds nothing, and says so', async (t) => {
  const cgroup = host(t, {}).create({ limits: ['memory', 'pids'] });
  t.match(cgroup, { forkInto: null, tasks: [], freezer: null, killFile: null, dirs: [], procsFile: null });
  t.strictSame(cgroup.holds('memory'), { why: 'cgroup2 is not mounted' });
  t.strictSame(cgroup.holds('memory-high'), { why: 'cgroup2 is not mounted' });
  t.equal(cgroup.usage(), null);
  t.equal(cgroup.charged('memory'), null);
  t.equal(cgroup.inForce('memory'), null);
  t.strictSame(cgroup.ceiling('memory'), { value: 'unlimited', path: '' });
  t.throws(() => cgroup.set('memory', 1), { name: 'EnvironmentError', message: 'cgroup2 is not mounted' });
  t.equal(killCgroup(cgroup), 0);
  cgroup.close();
});

t.test('v1 serves each limit in the hierarchy of its controller', async (t) => {
  const v1 = ['memory', 'cpu', 'pids', 'freezer', 'cpuacct', 'blkio'];
  const { ours, create, made, told } = host(t, {
    v1,
    files: { memory: { 'memory.limit_in_bytes': '4096\n' }, pids: { 'pids.max': 'max\n' } },
  });
  const cgroup = create({ limits: ['memory', 'cpus', 'cpu-weight'] });
  t.strictSame(made().sort(), [...v1].sort(), 'those of figures and the freezer as well');
  t.strictSame(cgroup.holds('memory'), { mechanism: 'cgroup1' });
  t.strictSame(cgroup.holds('memory-high'), { why: 'cgroup v1 has no memory.high' });
  t.throws(() => cgroup.set('memory-high', 1), { message: 'cgroup v1 has no memory.high' });
  t.strictSame(cgroup.holds('cpuset'), { why: 'cgroup2 is not mounted' });
  t.match(cgroup, { forkInto: null, freezer: { version: 1, dir: `${ours('freezer')}/box` }, pressureDir: null });
  t.ok(cgroup.tasks.includes(`${ours('memory')}/box/tasks`));
  t.strictSame(told, cgroup.cleanup, 'told before it is made');
  t.strictSame(cgroup.ceiling('memory'), { value: 4096, path: ours('memory') }, 'of the groups around the box');
  t.strictSame(cgroup.ceiling('pids'), { value: 'unlimited', path: '' });
  writeFileSync(`${ours('memory')}/box/memory.usage_in_bytes`, '77\n');
  t.equal(cgroup.charged('memory'), 77);
  t.equal(cgroup.charged('pids'), null);
  writeFileSync(`${ours('pids')}/box/pids.current`, '5\n');
  t.equal(cgroup.charged('pids'), 5);
  t.match(cgroup.usage(), { pids: { current: 5 }, memory: null, cpu: null, io: null });
  cgroup.close();
});

t.test('a box that nobody reads has the groups of its limits alone', async (t) => {
  const v1 = ['memory', 'cpu', 'pids', 'freezer', 'cpuacct'];
  const without = host(t, { v1 });
  without.create({ limits: ['memory'], figures: false }).close();
  t.strictSame(without.made(), ['memory']);
  const weighed = host(t, { v1, files: {} });
  weighed.create({ limits: ['pids'], figures: false }).close();
  t.strictSame(weighed.made(), ['cpu', 'pids'], 'many processes get CPU time as one');
  const given = host(t, { v1 });
  given.create({ limits: ['pids', 'cpu-weight'], figures: false }).close();
  t.strictSame(given.made(), ['cpu', 'pids']);
});

t.test('where a scheduler looks for processes in its own freezer group the box has none', async (t) => {
  const v1 = ['memory', 'freezer'];
  const listed = host(t, { v1, v2: true });
  const cgroup = listed.create({ limits: ['memory'], scheduled: true, listed: true });
  t.strictSame(listed.made(), ['unified', 'memory'], 'there v2 is not that list');
  cgroup.close();
  const own = host(t, { v1 });
  t.match(own.create({ scheduled: true, listed: true }).freezer, null);
  t.match(host(t, { v1 }).create({ scheduled: true }).freezer, { version: 1 });
  const given = host(t, { v1 });
  t.match(
    given.create({ scheduled: true, listed: true, below: [given.ours('freezer')] }).freezer,
    { version: 1 },
    'but where it was asked for by its path',
  );
  const v2 = host(t, { v2: true });
  const none = v2.create({ limits: ['memory'], scheduled: true, listed: true });
  t.strictSame(v2.made(), []);
  t.strictSame(none.holds('memory'), {
    why: `Slurm looks for the processes of a task in ${v2.ours('unified')} only, so none may be in a group below it; the kernel enforces Slurm's own --mem and --cpus-per-task (docs/slurm.md)`,
  });
});

t.test('v2 has the box in one group, and says which controllers it lacks', async (t) => {
  const { ours, create, made } = host(t, { v2: true, files: { unified: { 'cgroup.controllers': 'cpu\n' } } });
  const cgroup = create({ limits: ['memory'] });
  const dir = `${ours('unified')}/box`;
  t.match(cgroup, { forkInto: dir, freezer: { version: 2, dir }, pressureDir: dir, dirs: [dir], tasks: [] });
  t.equal(cgroup.procsFile, `${dir}/cgroup.procs`);
  t.match(cgroup.holds('memory'), {
    why: /cgroup\.controllers has no memory: the parent group does not delegate it/,
  });
  t.throws(() => cgroup.set('memory', 1), { name: 'EnvironmentError', message: /has no memory/ });
  t.same(cgroup.usage(), { memory: null, cpu: null, io: null, pids: null });
  removeCgroup(cgroup);
  t.strictSame(made(), []);
});

t.test('a running box gets the group of a limit that was not asked for at the start', async (t) => {
  const { ours, create } = host(t, { v1: ['memory', 'pids'] });
  const cgroup = create({ limits: ['memory'], figures: false });
  t.match(cgroup.holds('pids'), { why: 'pids was not asked for at the start' });
  t.throws(() => cgroup.set('pids', 5), { message: `write "5" to ${ours('pids')}/box/pids.max: ENOENT` });
  t.match(cgroup.holds('pids'), { mechanism: 'cgroup1' }, 'the group is there now');
  writeFileSync(`${ours('pids')}/box/pids.max`, '');
  t.equal(cgroup.set('pids', 5), 5);
  t.equal(cgroup.inForce('pids'), 5);
  const bare = host(t, { v1: ['memory'] }).create({ figures: false });
  t.throws(
    () => bare.set('memory', 5),
    { message: 'memory was not asked for at the start' },
    'there is no list of its processes',
  );
});

t.test('a box goes below the directories that were given', async (t) => {
  const { dir, ours, create, made } = host(t, { v1: ['memory'] });
  mkdirSync(`${ours('memory')}/inner`);
  writeFileSync(`${ours('memory')}/inner/cgroup.procs`, '');
  create({ below: [`${ours('memory')}/inner`], limits: ['memory'] }).close();
  t.ok(existsSync(`${ours('memory')}/inner/box`));
  t.strictSame(made(), []);
  t.throws(() => create({ below: [`${dir}/nowhere`] }), {
    name: 'SpecError',
    message: /^--cgroup .*\/nowhere: not a cgroup directory/,
  });
});

t.test('a box that is not to be gives its processes back', async (t) => {
  const { ours, create, made } = host(t, { v1: ['memory', 'freezer'] });
  const joined: string[] = [];
  const adopt = {
    pid: process.pid,
    join: (procs: string) => {
      joined.push(procs);
      return null;
    },
  };
  const cgroup = create({ limits: ['memory'] });
  writeFileSync(`${ours('freezer')}/box/freezer.state`, '');
  t.equal(cgroup.freezer?.version, 1);
  // The real rmdir(2) of a group does not mind its files; this one does.
  releaseCgroup({ ...cgroup, freezer: null }, adopt);
  t.strictSame(joined.map(dirname).sort(), [ours('freezer'), ours('memory')]);
  t.strictSame(made(), ['freezer']);
  removeCgroup(cgroup);
  t.equal(readFileSync(`${ours('freezer')}/box/freezer.state`, 'utf8'), 'THAWED', 'what is frozen cannot die');
});
