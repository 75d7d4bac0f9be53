import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import type { CgroupValue, CleanupStep } from '../../src/cgroup/types.js';
import { makeV2, readV2 as readV2Task, setV2 as setV2Task, type V2Request } from '../../src/cgroup/v2.js';
import { runHere } from '../../src/kernel/run-task.js';
import { carryOut, known, type Task } from '../../src/kernel/task.js';
import type { CgroupLimitName } from '../../src/options/table/limits.js';
import { atOnce } from '../fixtures/at-once.js';

const [readV2, setV2] = [atOnce(readV2Task), atOnce(setV2Task)];

/** Ordinary files stand for the kernel's; they keep what is written, and are empty at first. */

t.test('a limit is written in the units of its file, and read back', async (t) => {
  const cases: readonly (readonly [CgroupLimitName, CgroupValue, string, string])[] = [
    ['memory', 4096, 'memory.max', '4096'],
    ['memory', 'unlimited', 'memory.max', 'max'],
    ['memory-high', 4096, 'memory.high', '4096'],
    ['swap', 0, 'memory.swap.max', '0'],
    ['pids', 64, 'pids.max', '64'],
    ['cpu-weight', 250, 'cpu.weight', '250'],
    ['cpus', 1.5, 'cpu.max', '150000 100000'],
    ['cpus', 'unlimited', 'cpu.max', 'max 100000'],
  ];
  for (const [name, value, file, text] of cases) {
    const dir = t.testdir({ [file]: '' });
    t.equal(setV2(dir, name, value), value, `${name} ${value}`);
    t.equal(readFileSync(`${dir}/${file}`, 'utf8'), text);
    const bare = t.testdir({});
    t.throws(() => setV2(bare, name, value), {
      name: 'EnvironmentError',
      message: `write "${text}" to ${bare}/${file}: ENOENT`,
    });
  }
  const dir = t.testdir({ 'cpuset.cpus': '', 'cpuset.cpus.effective': '0-1\n', 'io.max': '' });
  t.equal(setV2(dir, 'cpuset', '0-7'), '0-1', 'the kernel may give fewer CPUs');
  t.match(setV2(dir, 'io-max', [{ device: '8:0', wbps: 4096 }]), [{ device: '8:0', wbps: 4096 }]);
  t.equal(readFileSync(`${dir}/io.max`, 'utf8'), '8:0 wbps=4096');
});

t.test('what is in force is read, also where it is none', async (t) => {
  const dir = t.testdir({ 'memory.max': 'max\n', 'cpu.max': '50000 200000\n', 'pids.max': 'odd\n', 'io.max': '\n' });
  t.equal(readV2(dir, 'memory'), 'unlimited');
  t.equal(readV2(dir, 'cpus'), 0.25);
  t.strictSame(readV2(dir, 'io-max'), []);
  t.equal(readV2(dir, 'pids'), null);
  t.equal(readV2(dir, 'cpuset'), null);
  t.equal(readV2(dir, 'cpus'), 0.25);
  t.equal(readV2(`${dir}/none`, 'cpus'), 'unlimited');
});

/** The kernel fills a new group with its files. @param unwritable a `cgroup.procs` that this user may not write */
function asKernel<T>(task: Task<T>, fill: (dir: string) => Record<string, string>, unwritable = ''): T {
  let step = task.next();
  while (step.done !== true) {
    step = task.next(
      step.value.map((op) => {
        if (op.op === 'writable') return { error: op.path === unwritable ? 'EACCES' : null, text: '' };
        // A group goes with its files.
        if (/^rm/.test(op.op) && 'path' in op) rmSync(op.path, { recursive: true, force: true });
        const result = runHere(carryOut(op));
        if (op.op === 'mkdir' && result.error === null && op.path.endsWith('/box')) {
          for (const [name, text] of Object.entries(fill(op.path))) writeFileSync(`${op.path}/${name}`, text);
        }
        return result;
      }),
    );
  }
  return step.value;
}

/** A group of ours below one of somebody's below the mount. */
function groups(t: Test, files: Record<string, string> = {}, box: Record<string, string> = {}) {
  const mount = t.testdir({ theirs: { ours: files } });
  const told: CleanupStep[] = [];
  const ours = `${mount}/theirs/ours`;
  const fill = (dir: string) => {
    const handedDown = `${dirname(dir)}/cgroup.subtree_control`;
    return { 'cgroup.controllers': existsSync(handedDown) ? readFileSync(handedDown, 'utf8') : '', ...box };
  };
  const make = (more: Partial<V2Request> = {}, unwritable = '') =>
    asKernel(
      makeV2({
        place: { dir: ours, mount },
        from: ours,
        name: 'box',
        needed: [],
        optional: [],
        stayBelow: true,
        ourPids: [10, 11],
        beforeMaking: (steps) => told.push(...steps),
        adopt: undefined,
        ...more,
      }),
      fill,
      unwritable,
    );
  const made = (more?: Partial<V2Request>) => {
    const group = make(more);
    if (!('dir' in group)) throw new Error(group.why);
    return group;
  };
  return { mount, ours, told, make, made, read: (name: string) => readFileSync(`${ours}/${name}`, 'utf8') };
}

const DELEGATED = { 'cgroup.controllers': 'cpu io memory pids\n', 'cgroup.subtree_control': '', 'cgroup.procs': '' };

t.test('a box without limits takes whatever is handed down', async (t) => {
  const { ours, told, made } = groups(t, { ...DELEGATED, 'cgroup.subtree_control': 'pids\n' }, { 'cgroup.kill': '' });
  const group = made();
  t.match(group, { dir: `${ours}/box`, killFile: `${ours}/box/cgroup.kill`, cleanup: [{ op: 'rmdir' }] });
  t.strictSame([...group.controllers], ['pids']);
  t.strictSame(told, [{ op: 'rmdir', path: `${ours}/box` }], 'told before it was made');
  t.match(
    group.why('memory'),
    `${ours}/box/cgroup.controllers has no memory: the parent group does not delegate it; an administrator can enable it with systemd's Delegate=yes, or with: echo +memory > ${ours}/cgroup.subtree_control`,
  );
});

t.test('a controller that a limit needs is enabled in our own group', async (t) => {
  const { read, made } = groups(t, DELEGATED);
  const group = made({ needed: ['memory', 'pids'], optional: ['cpu'] });
  t.equal(read('cgroup.subtree_control'), '+memory +pids +cpu');
  t.equal(group.killFile, null);
  const there = groups(t, { ...DELEGATED, 'cgroup.subtree_control': 'memory' });
  there.made({ needed: ['memory'] });
  t.equal(there.read('cgroup.subtree_control'), '+memory', 'one that is there is asked for, to wait for its files');
  const none = groups(t, { ...DELEGATED, 'cgroup.controllers': 'cpu\n' });
  t.match(none.made({ needed: ['memory'] }).why('memory'), /has no memory: the parent group does not delegate it/);
  t.equal(none.read('cgroup.subtree_control'), '+memory', 'asked for all the same');
});

t.test('where only we are in our group we move aside into a leaf', async (t) => {
  const { ours, told, read, made } = groups(t, { ...DELEGATED, 'cgroup.type': 'domain', 'cgroup.procs': '10\n' });
  const before = made({ needed: ['memory'] });
  t.match(
    before.why('memory'),
    `write "10" to ${ours}/box.wrapper/cgroup.procs: ENOENT`,
    'no such file in an ordinary directory',
  );
  t.notOk(existsSync(`${ours}/box.wrapper`), 'the leaf is taken away again');
  t.strictSame(told.slice(1), [
    { op: 'write', path: `${ours}/cgroup.subtree_control`, text: '-memory' },
    { op: 'write', path: `${ours}/cgroup.procs`, text: '10' },
    { op: 'rmdir', path: `${ours}/box.wrapper` },
  ]);
  t.equal(read('cgroup.subtree_control'), '');
  const taken = groups(t, { ...DELEGATED, 'cgroup.type': 'domain', 'cgroup.procs': '10\n' });
  mkdirSync(`${taken.ours}/box.wrapper`);
  t.equal(taken.made({ needed: ['memory'] }).why('memory'), `mkdir ${taken.ours}/box.wrapper: EEXIST`);
});

t.test('where others are in our group it hands nothing down', async (t) => {
  const { ours, made } = groups(t, { ...DELEGATED, 'cgroup.type': 'domain', 'cgroup.procs': '10\n7\n8\n9\n6\n' });
  t.equal(
    made({ needed: ['memory'] }).why('memory'),
    `${ours} holds other processes (7, 8, 9), so it cannot delegate controllers; start proc_box with \`systemd-run --user --scope -p Delegate=yes\` or with exec`,
  );
});

t.test('a running box gets a controller where our group may hand it down', async (t) => {
  const { ours, read, made } = groups(t, DELEGATED);
  const group = made();
  t.equal(runHere(group.add('memory')), null);
  t.ok(group.controllers.has('memory'));
  t.equal(read('cgroup.subtree_control'), '+memory');
  t.match(runHere(group.add('cpuset')), /has no cpuset: the parent group does not delegate it/);
  const lacking = groups(t, { 'cgroup.controllers': 'memory\n' }, { 'cgroup.controllers': '' });
  const refused = lacking.make();
  t.match(
    'dir' in refused && runHere(refused.add('memory')),
    `write "+memory" to ${lacking.ours}/cgroup.subtree_control: ENOENT`,
  );
  t.ok(ours);
});

t.test('outside of a job the box may be below the nearest ancestor that has what it needs', async (t) => {
  const dir = t.testdir({
    top: {
      'cgroup.controllers': '',
      mid: { 'cgroup.subtree_control': 'memory', ours: { ...DELEGATED, 'cgroup.controllers': '' } },
    },
  });
  const request = (more: Partial<V2Request> = {}): V2Request => ({
    place: { dir: `${dir}/top/mid/ours`, mount: `${dir}/top` },
    from: `${dir}/top/mid/ours`,
    name: 'box',
    needed: ['memory'],
    optional: [],
    stayBelow: false,
    ourPids: [],
    beforeMaking: () => {},
    adopt: undefined,
    ...more,
  });
  const fill = (box: string) => ({ 'cgroup.controllers': box.endsWith('mid/box') ? 'memory' : '' });
  const group = asKernel(makeV2(request()), fill);
  t.match(group, { dir: `${dir}/top/mid/box` });
  t.match(
    'dir' in group && runHere(group.add('pids')),
    `${dir}/top/mid also has groups of others; give --pids at the start`,
  );
});

t.test('without any place there is no group, and the first refusal says why', async (t) => {
  const { ours, mount, make } = groups(t, DELEGATED);
  writeFileSync(`${ours}/file`, '');
  t.strictSame(make({ place: { dir: `${ours}/file`, mount } }), {
    why: `mkdir ${ours}/file/box: ENOTDIR; start proc_box with \`systemd-run --user --scope -p Delegate=yes\`, or ask the administrator to delegate a group (docs/limits.md)`,
  });
  t.match(make({ adopt: { join: () => known<string | null>('no room') } }), { why: /^no room; start proc_box with/ });
  t.notOk(existsSync(`${ours}/box`));
});

t.test('a group that no process could join is removed again, and the reason names what to delegate', async (t) => {
  const { ours, mount, make } = groups(t, DELEGATED);
  const theirs = `${mount}/theirs`;
  const moved = { place: { dir: ours, mount }, from: `${theirs}/elsewhere` };
  t.match(make(moved, `${theirs}/cgroup.procs`), {
    why: `write to ${theirs}/cgroup.procs: EACCES, so no process can be moved from ${theirs}/elsewhere to ${ours}/box; ask the administrator to delegate ${theirs} (docs/limits.md)`,
  });
  t.match(make(moved), { dir: `${ours}/box` });
});
