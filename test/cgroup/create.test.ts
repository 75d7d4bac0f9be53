import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { removeCgroup } from '../../src/cgroup/remove.js';
import { runHere } from '../../src/kernel/run-task.js';
import { cgroupHost } from '../fixtures/cgroup-host.js';

/** Which groups a box gets, and what would serve each limit. */

t.test('v1 serves each limit in the hierarchy of its controller', async (t) => {
  const v1 = ['memory', 'cpu', 'pids', 'freezer', 'cpuacct', 'blkio'];
  const { ours, create, made, told } = cgroupHost(t, {
    v1,
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
});

t.test('a box that nobody reads has the groups of its limits alone', async (t) => {
  const v1 = ['memory', 'cpu', 'pids', 'freezer', 'cpuacct'];
  const without = cgroupHost(t, { v1 });
  without.create({ limits: ['memory'], figures: false });
  t.strictSame(without.made(), ['memory']);
  const weighed = cgroupHost(t, { v1, files: {} });
  weighed.create({ limits: ['pids'], figures: false });
  t.strictSame(weighed.made(), ['cpu', 'pids'], 'many processes get CPU time as one');
  const given = cgroupHost(t, { v1 });
  given.create({ limits: ['pids', 'cpu-weight'], figures: false });
  t.strictSame(given.made(), ['cpu', 'pids']);
});

t.test('where a scheduler looks for processes in its own freezer group the box has none', async (t) => {
  const v1 = ['memory', 'freezer'];
  const listed = cgroupHost(t, { v1, v2: true });
  listed.create({ limits: ['memory'], scheduled: true, listed: true });
  t.strictSame(listed.made(), ['unified', 'memory'], 'there v2 is not that list');
  const own = cgroupHost(t, { v1 });
  t.match(own.create({ scheduled: true, listed: true }).freezer, null);
  t.match(cgroupHost(t, { v1 }).create({ scheduled: true }).freezer, { version: 1 });
  const given = cgroupHost(t, { v1 });
  t.match(
    given.create({ scheduled: true, listed: true, below: [given.ours('freezer')] }).freezer,
    { version: 1 },
    'but where it was asked for by its path',
  );
  const v2 = cgroupHost(t, { v2: true });
  const none = v2.create({ limits: ['memory'], scheduled: true, listed: true });
  t.strictSame(v2.made(), []);
  t.strictSame(none.holds('memory'), {
    why: `Slurm looks for the processes of a task in ${v2.ours('unified')} only, so none may be in a group below it; the kernel enforces Slurm's own --mem and --cpus-per-task (docs/slurm.md)`,
  });
});

t.test('v2 has the box in one group, and says which controllers it lacks', async (t) => {
  const { ours, create, made } = cgroupHost(t, { v2: true, files: { unified: { 'cgroup.controllers': 'cpu\n' } } });
  const cgroup = create({ limits: ['memory'] });
  const dir = `${ours('unified')}/box`;
  t.match(cgroup, { forkInto: dir, freezer: { version: 2, dir }, pressureDir: dir, dirs: [dir], tasks: [] });
  t.equal(cgroup.procsFile, `${dir}/cgroup.procs`);
  t.match(cgroup.holds('memory'), {
    why: /cgroup\.controllers has no memory: the parent group does not delegate it/,
  });
  t.throws(() => cgroup.set('memory', 1), { name: 'EnvironmentError', message: /has no memory/ });
  t.same(cgroup.usage(), { memory: null, cpu: null, io: null, pids: null });
  runHere(removeCgroup(cgroup));
  t.strictSame(made(), []);
});

t.test('a box goes below the directories that were given', async (t) => {
  const { dir, ours, create, made } = cgroupHost(t, { v1: ['memory'] });
  mkdirSync(`${ours('memory')}/inner`);
  writeFileSync(`${ours('memory')}/inner/cgroup.procs`, '');
  create({ below: [`${ours('memory')}/inner`], limits: ['memory'] });
  t.ok(existsSync(`${ours('memory')}/inner/box`));
  t.strictSame(made(), []);
  t.throws(() => create({ below: [`${dir}/nowhere`] }), {
    name: 'SpecError',
    message: /^--cgroup .*\/nowhere: not a cgroup directory/,
  });
});
