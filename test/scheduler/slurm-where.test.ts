import t from 'tap';
import { findSlurmJobs, findSlurmSteps, isSlurmJob, type SlurmJob } from '../../src/scheduler/slurm-where.js';
import { slurmTool } from '../fixtures/slurm-tools.js';

const job = (more: Partial<SlurmJob> = {}): SlurmJob => ({
  job: '12',
  address: '12',
  user: 'alice',
  state: 'RUNNING',
  reason: 'None',
  nodes: 'n[1-2]',
  id: '12',
  ...more,
});

t.test('only what squeue takes as a whole is a job', async (t) => {
  for (const text of ['12', '12_7', '12+1']) t.ok(isSlurmJob(text), text);
  for (const text of ['', '12_', '12_x', '12.0', '12[1-3]', '12,13', 'a12', '-1', '12 '])
    t.notOk(isSlurmJob(text), text);
});

t.test('the parts of a job, and where they run', async (t) => {
  slurmTool(
    t,
    'squeue',
    `cat <<'END'
12|12_7|alice|RUNNING|None|n[1-2]
13|12+1|alice|PENDING|Resources|
END`,
  );
  t.strictSame(await findSlurmJobs('12'), [
    job({ job: '12_7', address: '12_7' }),
    job({ id: '13', job: '12+1', address: '12', state: 'PENDING', reason: 'Resources', nodes: '' }),
  ]);
});

t.test('tasks of an array that wait together are named as users type them, however Slurm writes them', async (t) => {
  for (const [printed, name] of [
    ['1_6', '1_6'],
    ['1_[6]', '1_6'],
    ['1_[6%2]', '1_6'],
    ['1_[6-9,12%2]', '1_[6-9,12]'],
  ] as const) {
    await t.test(printed, async (t) => {
      slurmTool(t, 'squeue', `echo '1|${printed}|alice|PENDING|JobArrayTaskLimit|'`);
      const waiting = { state: 'PENDING', reason: 'JobArrayTaskLimit', nodes: '' };
      t.strictSame(await findSlurmJobs('1'), [job({ id: '1', job: name, address: name, ...waiting })]);
    });
  }
});

t.test('what is no job, or is known no more, has no parts', async (t) => {
  slurmTool(t, 'squeue', 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1');
  t.strictSame(await findSlurmJobs('12'), []);
  t.strictSame(await findSlurmJobs('12; rm'), [], 'and squeue is not asked');
});

t.test('processes of steps, node by node', async (t) => {
  slurmTool(
    t,
    'sstat',
    `[ "$*" = "-a -n -P -i -j 12,13" ] || exit 9
cat <<'END'
12.batch|n1|100
12.0|n1|101,102
12.0|n2|201
13.extern|n2|
99.0|n9|900
12.0|n1|101,102
END`,
  );
  t.strictSame(await findSlurmSteps([job(), job({ id: '13', job: '12+1' })]), [
    { job: '12', step: 'batch', node: 'n1', pids: [100] },
    { job: '12', step: '0', node: 'n1', pids: [101, 102] },
    { job: '12', step: '0', node: 'n2', pids: [201] },
    { job: '12+1', step: 'extern', node: 'n2', pids: [] },
  ]);
  t.strictSame(await findSlurmSteps([]), []);
});

t.test('where a tool cannot tell, it says why', async (t) => {
  await t.test('a refusal', async (t) => {
    slurmTool(t, 'sstat', 'echo "sstat: error: slurm_job_step_stat: Access denied" >&2; exit 1');
    await t.rejects(findSlurmSteps([job()]), {
      name: 'EnvironmentError',
      message: 'sstat: error: slurm_job_step_stat: Access denied',
    });
  });
  await t.test('a silent end', async (t) => {
    slurmTool(t, 'squeue', 'exit 1');
    await t.rejects(findSlurmJobs('12'), { name: 'EnvironmentError', message: /^squeue: Command failed/ });
  });
  await t.test('no such program', async (t) => {
    const { PATH } = process.env;
    const folder = t.testdir({});
    process.env['PATH'] = folder;
    t.teardown(() => {
      process.env['PATH'] = PATH;
    });
    await t.rejects(findSlurmJobs('12'), {
      name: 'EnvironmentError',
      message: `squeue: not found in PATH (${folder})`,
    });
  });
});
