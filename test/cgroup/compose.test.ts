import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { compose as composeTasks } from '../../src/cgroup/compose.js';
import type { Controller } from '../../src/cgroup/hierarchy.js';
import { makeV1 as makeV1Task } from '../../src/cgroup/v1.js';
import type { V2Group } from '../../src/cgroup/v2.js';
import { known } from '../../src/kernel/task.js';
import { atOnce, groupsAtOnce } from '../fixtures/at-once.js';
import { cpu, V1_FILES, V2_FILES } from '../fixtures/cgroup-files.js';
import { cgroupHost } from '../fixtures/cgroup-host.js';

/** Groups of both versions as one; ordinary directories stand for them. */

const makeV1 = atOnce(makeV1Task);
const compose = (...words: Parameters<typeof composeTasks>) => groupsAtOnce(composeTasks(...words));

const CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'freezer'] as const;

/** Hierarchies of both versions; the box is made in those of v1, with the files that the kernel would put there. */
function hierarchies(t: Test, controllers: readonly Controller[]) {
  const dir = t.testdir({
    ...Object.fromEntries(CONTROLLERS.map((name) => [name, { ours: {} }])),
    unified: { ours: { box: V2_FILES } },
  });
  const place = (name: string) => ({ dir: `${dir}/${name}/ours`, mount: `${dir}/${name}` });
  const found = new Map(controllers.map((name) => [name, place(name)]));
  const v1 = makeV1({ v2: null, v1: found }, controllers, { name: 'box' });
  for (const made of v1.dirs)
    for (const [name, text] of Object.entries(V1_FILES)) writeFileSync(`${made}/${name}`, text);
  return { found, v1, v2: place('unified'), box: `${dir}/unified/ours/box` };
}

/** A v2 group with these controllers. */
function v2Group(dir: string, controllers: ReadonlySet<string>, more: Partial<V2Group> = {}): V2Group {
  return {
    dir,
    controllers,
    killFile: null,
    cleanup: [{ op: 'rmdir', path: dir }],
    why: (controller) => `cgroup.controllers has no ${controller}`,
    add: (controller) => known<string | null>(`${controller} may not be enabled`),
    ...more,
  };
}

const NO_V1 = makeV1({ v2: null, v1: new Map() }, [], { name: 'box' });

t.test('a host without control groups holds nothing, and says so', async (t) => {
  const cgroup = cgroupHost(t, {}).create({ limits: ['memory', 'pids'] });
  t.match(cgroup, { forkInto: null, tasks: [], freezer: null, killFile: null, dirs: [], procsFile: null });
  t.strictSame(cgroup.holds('memory'), { why: 'cgroup2 is not mounted' });
  t.strictSame(cgroup.holds('memory-high'), { why: 'cgroup2 is not mounted' });
  t.equal(cgroup.usage(), null);
  t.equal(cgroup.charged('memory'), null);
  t.equal(cgroup.inForce('memory'), null);
  t.strictSame(cgroup.ceiling('memory'), { value: 'unlimited', path: '' });
  t.throws(() => cgroup.set('memory', 1), { name: 'EnvironmentError', message: 'cgroup2 is not mounted' });
});

t.test('v2 serves the limits and figures of its controllers', async (t) => {
  const { v2, box } = hierarchies(t, []);
  const group = v2Group(box, new Set(['memory', 'pids']), { killFile: '/box/cgroup.kill' });
  const cgroup = compose({ v2, v1: new Map() }, group, NO_V1);
  t.match(cgroup, {
    forkInto: group.dir,
    killFile: '/box/cgroup.kill',
    procsFile: `${group.dir}/cgroup.procs`,
    tasks: [],
  });
  t.strictSame(cgroup.holds('memory-high'), { mechanism: 'cgroup2' });
  t.strictSame(cgroup.holds('cpus'), { why: 'cgroup.controllers has no cpu' });
  t.equal(cgroup.charged('memory'), 331067392);
  t.match(cgroup.usage(), {
    memory: { currentBytes: 331067392 },
    cpu: { usageUsec: 6110123 },
    pids: { current: 3 },
    io: null,
  });
});

t.test('a hybrid host: each limit and figure comes from the version that has its controller', async (t) => {
  const { found, v1, v2, box } = hierarchies(t, ['memory', 'cpu', 'freezer']);
  const group = v2Group(box, new Set(['pids']));
  const cgroup = compose({ v2, v1: found }, group, v1);
  t.strictSame(cgroup.holds('pids'), { mechanism: 'cgroup2' });
  t.strictSame(cgroup.holds('memory'), { mechanism: 'cgroup1' });
  t.strictSame(
    cgroup.holds('memory-high'),
    { why: 'cgroup v1 has no memory.high' },
    'v2 cannot have a controller of v1',
  );
  t.strictSame(cgroup.freezer, { version: 2, dir: group.dir }, 'v2 comes first');
  t.strictSame(
    cgroup.tasks,
    v1.dirs.map((dir) => `${dir}/tasks`),
  );
  t.strictSame(cgroup.dirs, [...v1.dirs, group.dir]);
  t.match(cgroup.usage(), {
    memory: { currentBytes: 331067392, oomEvents: null },
    cpu: { usageUsec: 6110123, throttledUsec: cpu.throttledUsec },
    io: null,
    pids: { current: 3 },
  });
  t.strictSame(cgroup.cleanup, [...v1.possible.map((path) => ({ op: 'rmdir', path })), ...group.cleanup], 'v1 first');
});

t.test('v1 counts CPU time in one directory and throttles in another', async (t) => {
  const none = { why: 'cgroup2 is not mounted' };
  const { found, v1 } = hierarchies(t, ['cpuacct', 'cpu']);
  const cgroup = compose({ v2: null, v1: found }, none, v1);
  t.same(cgroup.usage(), { memory: null, cpu, io: null, pids: null });
  const throttled = hierarchies(t, ['cpu']);
  const other = compose({ v2: null, v1: throttled.found }, none, throttled.v1);
  t.equal(other.usage()?.cpu, null, 'throttling figures without CPU time are not reported');
});

t.test('the ceiling is the tightest limit around the box, up to the mount', async (t) => {
  const mount = t.testdir({
    'memory.limit_in_bytes': '5000\n',
    slurm: {
      'memory.limit_in_bytes': '3000\n',
      'pids.max': '9\n',
      step: { 'memory.limit_in_bytes': '4000\n', box: {} },
    },
  });
  const v1 = new Map([['memory', { dir: `${mount}/slurm/step`, mount }]] as const);
  const inV1 = compose(
    { v2: null, v1 },
    { why: 'cgroup2 is not mounted' },
    makeV1({ v2: null, v1 }, [], { name: 'box' }),
  );
  t.strictSame(inV1.ceiling('memory'), { value: 3000, path: `${mount}/slurm` }, 'also before the box has a group');
  t.strictSame(inV1.ceiling('pids'), { value: 'unlimited', path: '' }, 'without the controller');
  t.strictSame(inV1.ceiling('cpus'), { value: 'unlimited', path: '' }, 'limits without a ceiling');
});

t.test('in v2 neither the limit of the box itself counts nor one above the mount', async (t) => {
  const top = t.testdir({
    'memory.max': '1\n',
    slice: { 'memory.max': 'max\n', scope: { 'memory.max': '700\n', box: { 'memory.max': '50\n' } } },
  });
  const group = v2Group(`${top}/slice/scope/box`, new Set(['memory']));
  const place = { dir: `${top}/slice/scope`, mount: `${top}/slice` };
  const inV2 = compose({ v2: place, v1: new Map() }, group, NO_V1);
  t.strictSame(inV2.ceiling('memory'), { value: 700, path: `${top}/slice/scope` });
});

t.test('a missing controller is enabled if possible; otherwise the error has the reason', async (t) => {
  const { v2, box } = hierarchies(t, []);
  const controllers = new Set(['memory']);
  const asked: string[] = [];
  const group = v2Group(box, controllers, {
    add(controller) {
      asked.push(controller);
      if (controller === 'cpu') return known<string | null>('write "+cpu" to cgroup.subtree_control: EACCES');
      controllers.add(controller);
      return known<string | null>(null);
    },
  });
  const cgroup = compose({ v2, v1: new Map() }, group, NO_V1);
  writeFileSync(`${group.dir}/pids.max`, '');
  t.equal(cgroup.set('pids', 64), 64);
  t.equal(cgroup.inForce('pids'), 64);
  t.throws(() => cgroup.set('cpus', 1), {
    name: 'EnvironmentError',
    message: 'write "+cpu" to cgroup.subtree_control: EACCES',
  });
  t.strictSame(asked, ['pids', 'cpu']);
  const without = compose({ v2, v1: new Map() }, { why: 'mkdir: EACCES' }, NO_V1);
  t.throws(() => without.set('pids', 64), { message: 'mkdir: EACCES' }, 'a box without a group');
});

t.test('a running box gets the group of a limit that was not asked for at the start', async (t) => {
  const { ours, create } = cgroupHost(t, { v1: ['memory', 'pids'] });
  const cgroup = create({ limits: ['memory'], figures: false });
  t.match(cgroup.holds('pids'), { why: 'pids was not asked for at the start' });
  t.throws(() => cgroup.set('pids', 5), { message: `write "5" to ${ours('pids')}/box/pids.max: ENOENT` });
  t.match(cgroup.holds('pids'), { mechanism: 'cgroup1' }, 'the group is there now');
  writeFileSync(`${ours('pids')}/box/pids.max`, '');
  t.equal(cgroup.set('pids', 5), 5);
  t.equal(cgroup.inForce('pids'), 5);
  const bare = cgroupHost(t, { v1: ['memory'] }).create({ figures: false });
  t.throws(
    () => bare.set('memory', 5),
    { message: 'memory was not asked for at the start' },
    'there is no list of its processes',
  );
});
