import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { removeAbandoned } from '../../src/cgroup/abandoned.js';

/** Ordinary directories stand for groups: one with a file in it cannot be removed, as a group with a process. */

const BOX = `proc_box-${'0a'.repeat(10)}`;
const other = (number: number) => `proc_box-${String(number).padStart(20, '0')}`;

/** Groups of a job with steps, two levels below the top; all two minutes old unless they are young. */
function tree(t: Test, paths: readonly string[], young: readonly string[] = [], busy: readonly string[] = []) {
  const top = join(t.testdir({}), 'job');
  const dirs = paths.map((path) => join(top, path));
  for (const dir of dirs) mkdirSync(dir, { recursive: true });
  const groups = new Set([top, ...dirs.flatMap((dir) => [dirname(dir), dirname(dirname(dir))])]);
  for (const dir of groups) writeFileSync(join(dir, 'cgroup.procs'), '');
  for (const path of busy) writeFileSync(join(top, path, 'process'), '');
  const before = Date.now() / 1000 - 120;
  for (const path of paths) if (!young.includes(path)) utimesSync(join(top, path), before, before);
  return { top, has: (path: string) => existsSync(join(top, path)) };
}

t.test('groups of boxes that were killed go, and those of boxes that live stay', async (t) => {
  const ours = `step_1/task_0/${BOX}`;
  const old = `step_1/task_1/${other(1)}`;
  const young = `step_1/task_2/${other(2)}`;
  const busy = `step_0/task_0/${other(3)}`;
  const foreign = 'step_0/task_1/proc_box-mine';
  const named = `step_0/task_2/${other(4)}-1234.0.1`;
  const { top, has } = tree(t, [ours, old, young, busy, foreign, named], [ours, young], [busy]);
  t.equal(removeAbandoned([join(top, ours)], 2), 2);
  t.strictSame([ours, old, young, busy, foreign, named].map(has), [true, false, true, true, true, false]);
});

t.test('what could not be removed because of a box goes with it, up to the common ancestor', async (t) => {
  const ours = `step_1/task_0/${BOX}`;
  const old = `step_0/task_0/${other(1)}`;
  const top = join(t.testdir({}), 'job');
  for (const path of [ours, old]) mkdirSync(join(top, path), { recursive: true });
  for (const path of ['', 'step_1', 'step_1/task_0']) writeFileSync(join(top, path, 'cgroup.procs'), '');
  const before = Date.now() / 1000 - 120;
  utimesSync(join(top, old), before, before);
  t.equal(removeAbandoned([join(top, ours), join(top, ours)], 2), 1, 'a place is looked at once');
  t.notOk(existsSync(join(top, 'step_0')), 'the task and the step around it');
  t.ok(existsSync(join(top, ours)));
});

t.test('it looks no farther than it is told, and not above the control groups', async (t) => {
  const ours = `step_1/task_0/${BOX}`;
  const far = `step_0/task_0/${other(1)}`;
  const { top, has } = tree(t, [ours, far], [ours]);
  t.equal(removeAbandoned([join(top, ours)], 1), 0, 'the step of another task');
  t.ok(has(far));
  t.equal(removeAbandoned([], 2), 0);
  t.equal(removeAbandoned([join(top, 'none', 'x', BOX)], 2), 0, 'nothing is there');
});
