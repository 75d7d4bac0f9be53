import type { Keeper } from 'cgroup-utils-native';
import t from 'tap';
import { launchedJob, ourProcesses } from '../../src/supervise/subject.js';

const keeper = (pid: number, pids: readonly number[] = [pid]) => ({ pid, pids }) as unknown as Keeper;

t.test('the front end, this process and those of the keeper are not of the box', async (t) => {
  t.strictSame(ourProcesses(keeper(7, [7, 8])), [process.ppid, process.pid, 7, 8]);
});

t.test('a launched job has the environment, the user and the folder of this process', async (t) => {
  const job = launchedJob(keeper(process.pid));
  t.equal(job.environment, process.env);
  t.equal(job.adopted, null);
  t.ok(job.user.length > 0);
  t.strictSame(job.files(), { home: process.env['HOME'], folder: process.cwd(), owner: null });
});

t.test('in a PBS job what MoM has started beside us comes along', async (t) => {
  const before = launchedJob(keeper(7)).ourPids;
  t.strictSame(before, ourProcesses(keeper(7)));
  process.env['PBS_JOBID'] = '1.s';
  t.teardown(() => delete process.env['PBS_JOBID']);
  t.ok(launchedJob(keeper(7)).ourPids.length > before.length, 'at least this process is a child of its parent');
});
