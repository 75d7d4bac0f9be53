import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { configure, NOBODY, startMom, type Task, type TaskOptions } from '../../fixtures/mom.js';
import { processState, until } from '../../fixtures/processes.js';
import { job as inner, PATIENCE_MS } from '../../vm/inner/box.js';

/** Inside the virtual machine: the hook of a site that has named a directory for the groups of jobs. */

const MIB = 2 ** 20;
const STRICT = ['-uri', 'none', '--config', 'none', '--quiet=false', '--enforce', 'strict'];
const SLEEPS = ['/bin/sh', '-c', 'echo ready; exec sleep 1000'];
const timeout = 4 * PATIENCE_MS;
let last = 0;

/** `root` is what the site has configured; MoM itself is in a group with other processes. */
function site(t: TestContext, more: Partial<TaskOptions> = {}) {
  const id = `${++last}.srv`;
  const root = `/sys/fs/cgroup/vm/jobs-${last}`;
  mkdirSync(root);
  // The last first, as tap has it.
  const done: (() => unknown)[] = [() => rmdirSync(root)];
  t.after(async () => {
    for (const step of done.reverse()) await step();
  });
  const teardown = (step: () => unknown) => void done.push(step);
  const mom = startMom({ teardown });
  const hook = configure(mom, { default: STRICT, cgroup_root: root });
  const group = join(root, `proc_box-job-${id}`);
  const run = (taskNumber: number, options: Partial<TaskOptions> = {}) =>
    mom.run({
      command: SLEEPS,
      id,
      taskNumber,
      hook,
      user: NOBODY,
      resources: { box: '--pids 40 --memory 64M --cpus 1' },
      ...more,
      ...options,
    });
  const end = () => mom.endHook('execjob_end', id, hook, NOBODY);
  teardown(end);
  return { mom, root, group, run, end, teardown };
}

const says = (task: Task, text: string) =>
  until(() => task.output().includes(text), `${text}; ${task.output()} ${task.hookLog.join()}`, PATIENCE_MS);
const file = (group: string, name: string) => readFileSync(join(group, name), 'utf8').trim();
const leaves = (group: string) => readdirSync(group).filter((name) => name.startsWith('task-'));
const sleepers = (tasks: readonly Task[]) =>
  tasks.flatMap((task) => task.members()).filter((pid) => processState(pid)?.comm === 'sleep');

test('tasks that start at once share one group; a strict box of an ordinary user is below it', {
  timeout,
}, async (t) => {
  const { group, run, end } = site(t);
  const tasks = await Promise.all([1, 2].map((number) => run(number)));
  for (const task of tasks) await says(task, 'ready');
  assert.deepEqual(
    tasks.flatMap(({ hookLog }) => hookLog),
    [],
  );
  assert.equal(file(group, 'pids.max'), '40');
  assert.equal(file(group, 'memory.max'), String(64 * MIB));
  assert.equal(file(group, 'cpu.max'), '100000 100000');
  assert.equal(leaves(group).length, 2);
  for (const pid of sleepers(tasks)) {
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), /\/proc_box-job-\d+\.srv\/task-\d+\/proc_box-[^/]+\n$/);
  }
  const members = tasks.flatMap((task) => task.members());
  assert.ok(Number(file(group, 'pids.current')) >= members.length, 'both are counted');
  for (const task of tasks) task.signal('TERM');
  for (const task of tasks) assert.equal(await task.exitStatus, 256 + 15);
  assert.deepEqual((await end()).log, []);
  assert.ok(!existsSync(group));
});

test('the limit is for all of them together', { timeout }, async (t) => {
  const { group, run } = site(t);
  const half = ['/bin/sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; echo ready; wait'];
  const first = await run(1, { command: half });
  await says(first, 'ready');
  const second = await run(2, { command: inner('forks.py') });
  await second.exitStatus;
  const [, count = '', why] = /^(\d+) (\w+)$/m.exec(second.output()) ?? [];
  assert.equal(why, 'EAGAIN', second.output());
  assert.ok(Number(count) < 30, `${count} beside the ten of the first`);
  assert.equal(file(group, 'pids.max'), '40');
});

test('a task that ends leaves the others their limits, and its group goes with the next', { timeout }, async (t) => {
  const { group, run, end } = site(t);
  const first = await run(1);
  const second = await run(2);
  await says(first, 'ready');
  await says(second, 'ready');
  const before = leaves(group);
  first.signal('KILL');
  assert.equal(await first.exitStatus, 256 + 9);
  await until(() => first.members().length === 0, 'nothing of it is left', PATIENCE_MS);
  const third = await run(3);
  await says(third, 'ready');
  const after = leaves(group);
  assert.equal(after.length, 2);
  assert.equal(after.filter((name) => before.includes(name)).length, 1);
  assert.equal(file(group, 'pids.max'), '40');
  for (const task of [second, third]) task.signal('KILL');
  for (const task of [second, third]) await task.exitStatus;
  assert.deepEqual((await end()).log, []);
  assert.ok(!existsSync(group));
});

test("MoM's pbs_demux beside the first task of several nodes does not stand in the way", { timeout }, async (t) => {
  const { run } = site(t);
  const task = await run(1, { demux: true });
  await says(task, 'pids=40 (cgroup2)');
  await until(() => sleepers([task]).length === 1, 'the shell has become its program', PATIENCE_MS);
  process.kill(sleepers([task])[0]!, 'SIGTERM');
  assert.equal(await task.exitStatus, 256 + 15);
  const demux = task.session().find((pid) => processState(pid)?.comm === 'pbs_demux')!;
  await until(() => /\/task-\d+\n$/.test(readFileSync(`/proc/${demux}/cgroup`, 'utf8')), 'it is back', PATIENCE_MS);
  process.kill(demux, 'SIGKILL');
});

test('without a directory, and without the controllers there, each task has its own limits', { timeout }, async (t) => {
  const { mom, run, root, group, teardown } = site(t);
  const lenient = { default: STRICT.slice(0, 4) };
  const own = await run(1, { hook: configure(mom, lenient), command: ['/bin/true'] });
  assert.equal(await own.exitStatus, 0);
  const reason = /own --pids: \S+\/vm\/command holds processes, so it cannot delegate controllers; name another/;
  assert.match(own.hookLog.join('\n'), reason);
  const closed = join(root, 'closed');
  mkdirSync(closed);
  teardown(() => rmdirSync(closed));
  const none = await run(2, { hook: configure(mom, { ...lenient, cgroup_root: closed }), command: ['/bin/true'] });
  assert.equal(await none.exitStatus, 0);
  assert.match(
    none.hookLog.join('\n'),
    /own --pids: no available control group has the controller; name one in cgroup_root/,
  );
  assert.ok(!existsSync(group));
});
