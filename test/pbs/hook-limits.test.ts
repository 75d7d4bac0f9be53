import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import t from 'tap';
import { delegate, groupsIn, groupsOfProcess, ownGroup, withoutV1 } from '../fixtures/cgroups.js';
import { configure, type Mom, NOBODY, startMom, type Task, type TaskOptions } from '../fixtures/mom.js';
import { isAlive, processState, until } from '../fixtures/processes.js';

/** Limits that the tasks of a job on a node share, in control groups v1; test/pbs/hook-v2.test.ts has those of v2. */

const skip = withoutV1('pids', 'memory');
const LIMITED = { box: '--pids 40 --memory 200M' };
let last = 0;

function job(mom: Mom, more: Partial<TaskOptions> = {}) {
  const id = `${process.pid}${++last}.srv`;
  const hook = configure(mom, {
    default: ['-uri', 'none', '--config', 'none', '--quiet=false', '--enforce', 'strict'],
  });
  const group = (controller: string) => `${ownGroup(controller)}/proc_box-job-${id}`;
  const run = (taskNumber: number) =>
    mom.run({
      command: ['/bin/sh', '-c', 'echo ready; exec sleep 1000'],
      id,
      taskNumber,
      hook,
      user: NOBODY,
      resources: LIMITED,
      ...more,
    });
  return { id, hook, group, run, end: () => mom.endHook('execjob_end', id, hook, NOBODY) };
}

const ready = (task: Task) =>
  until(() => task.output().includes('ready'), `${task.id} runs; ${task.hookLog.join()} ${task.output()}`);
const leaves = (group: string) => readdirSync(group).filter((name) => name.startsWith('task-'));

t.test("tasks that start at once share one group of the job's, each in a group of its own", { skip }, async (t) => {
  const mom = startMom(t);
  const { group, run, end } = job(mom);
  t.teardown(end);
  const tasks = await Promise.all([1, 2].map(run));
  for (const task of tasks) await ready(task);
  t.strictSame(
    tasks.flatMap(({ hookLog }) => hookLog),
    [],
  );
  t.equal(readFileSync(`${group('pids')}/pids.max`, 'utf8'), '40\n');
  t.equal(readFileSync(`${group('memory')}/memory.limit_in_bytes`, 'utf8'), `${200 << 20}\n`);
  const members = tasks.flatMap((task) => task.members());
  const sleepers = members.filter((pid) => processState(pid)?.comm === 'sleep');
  t.equal(sleepers.length, 2);
  for (const pid of sleepers) {
    for (const controller of ['pids', 'memory']) {
      t.match(groupsOfProcess(pid)[controller], /\/task-\d+\/proc_box-/, 'the box is below the group of its job');
    }
  }
  t.ok(Number(readFileSync(`${group('pids')}/pids.current`, 'utf8')) >= members.length, 'both are counted');
  for (const task of tasks) task.signal('TERM');
  for (const task of tasks) t.equal(await task.exitStatus, 256 + 15);
  await until(() => members.every((pid) => !isAlive(pid)), 'all have ended');
  t.strictSame((await end()).log, []);
  t.notOk(existsSync(group('pids')));
  t.notOk(existsSync(group('memory')));
});

t.test('a task that ends leaves the others their limits, and its group goes with the next', { skip }, async (t) => {
  const mom = startMom(t);
  const { group, run, end } = job(mom);
  t.teardown(end);
  const [first, second] = await Promise.all([1, 2].map(run));
  await ready(first!);
  await ready(second!);
  const before = leaves(group('pids'));
  t.equal(before.length, 2);
  first!.signal('KILL');
  t.equal(await first!.exitStatus, 256 + 9);
  await until(() => first!.members().length === 0, 'nothing of it is left');
  const third = await run(3);
  await ready(third);
  const after = leaves(group('pids'));
  t.equal(after.length, 2);
  t.equal(after.filter((name) => before.includes(name)).length, 1, "the first's is gone");
  t.equal(readFileSync(`${group('pids')}/pids.max`, 'utf8'), '40\n');
  for (const task of [second!, third]) task.signal('KILL');
  for (const task of [second!, third]) await task.exitStatus;
  // At once: what was killed may still be in the groups.
  t.strictSame((await end()).log, []);
  t.notOk(existsSync(group('pids')));
});

t.test('the shell of an interactive job, which is no child of the main MoM, has them, too', { skip }, async (t) => {
  const mom = startMom(t);
  const { id, hook, end } = job(mom);
  t.teardown(end);
  const task = await mom.run({ interactive: true, id, hook, user: NOBODY, resources: LIMITED, env: { PS1: '> ' } });
  await until(() => task.output().includes('started in box'), `the shell runs; ${task.hookLog.join()}`);
  t.strictSame(task.hookLog, []);
  const shell = task.members().find((pid) => processState(pid)?.comm === 'bash')!;
  t.match(groupsOfProcess(shell)['pids'], /\/proc_box-job-[^/]+\/task-\d+\/proc_box-/);
  task.type('exit\n');
  t.equal(await task.exitStatus, 0);
});

t.test("a group of PBS's own is not left", { skip }, async (t) => {
  const mom = startMom(t);
  const { id, hook, group, end } = job(mom);
  t.teardown(end);
  const site = delegate(t, ['pids', 'memory'], NOBODY.uid).dirs;
  const command = ['/bin/cat', '/proc/self/cgroup'];
  const groups = Object.values(site);
  const task = await mom.run({ command, id, hook, user: NOBODY, resources: LIMITED, groups });
  t.equal(await task.exitStatus, 0);
  t.strictSame(task.hookLog, [
    `proc_box: each task of ${id} has its own --memory, --pids: PBS has given it a control group`,
  ]);
  for (const [controller, dir] of Object.entries(site)) {
    t.match(groupsIn(task.output())[controller], `${basename(dir)}/proc_box-`, 'the box is in it');
    t.notOk(existsSync(group(controller)));
  }
});

t.test('where a group cannot be had each task has the limit for itself, and the log says why', { skip }, async (t) => {
  const mom = startMom(t);
  for (const [controller, resources, root, why] of [
    ['memory', { box: '--memory 200X' }, null, /--memory 200X: expected a size/],
    [
      'pids',
      LIMITED,
      `${ownGroup('pids')}/nonsuch/root`,
      /own --pids: .*No such file or directory: '\S+\/nonsuch\/root\//,
    ],
  ] as const) {
    const { id, group, end, hook } = job(mom);
    t.teardown(end);
    const config = mom.write('root.json', JSON.stringify({ ...read(hook.config), cgroup_root: root }));
    const task = await mom.run({ command: ['/bin/true'], id, hook: { ...hook, config }, resources, user: NOBODY });
    await task.exitStatus;
    t.match(task.hookLog.join('\n'), why);
    t.notOk(existsSync(group(controller)));
  }
});

function read(path: string): object {
  return JSON.parse(readFileSync(path, 'utf8'));
}
