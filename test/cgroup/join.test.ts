import { readFileSync } from 'node:fs';
import t from 'tap';
import { moveAll as moveAllTask } from '../../src/cgroup/join.js';
import { known } from '../../src/kernel/task.js';
import { atOnce } from '../fixtures/at-once.js';

const moveAll = atOnce(moveAllTask);

t.test('processes are moved until a pass finds nobody new', async (t) => {
  const procs = `${t.testdir({ 'cgroup.procs': '' })}/cgroup.procs`;
  const passes = [[12, 13], [12, 13, 14], [13, 14], []];
  const seen: string[] = [];
  const pids = () => {
    seen.push(readFileSync(procs, 'utf8'));
    return known<readonly number[]>(passes.shift()!);
  };
  t.equal(moveAll(procs, pids), null);
  t.strictSame(seen, ['', '13', '14'], 'one write for each of them, and a last look');
});

t.test('it ends even where new ones never do', async (t) => {
  const procs = `${t.testdir({ 'cgroup.procs': '' })}/cgroup.procs`;
  let pid = 100;
  t.equal(
    moveAll(procs, () => known<readonly number[]>([++pid])),
    null,
  );
  t.equal(pid, 116);
});

t.test('a group that takes nobody is named', async (t) => {
  const procs = `${t.testdir({})}/cgroup.procs`;
  t.equal(
    moveAll(procs, () => known<readonly number[]>([7])),
    `write "7" to ${procs}: ENOENT`,
  );
  t.equal(
    moveAll(procs, () => known<readonly number[]>([])),
    null,
  );
});
