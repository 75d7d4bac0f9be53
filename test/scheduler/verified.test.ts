import t from 'tap';
import { verifiedParts } from '../../src/scheduler/verified.js';

const slurm = (job: string, id: string, groups: string, uid = 1000) =>
  verifiedParts({ scheduler: 'slurm', job }, { SLURM_JOB_ID: id }, groups, uid);
const WITHOUT_JOB = ['user', 'host'];
const ALL = ['user', 'host', 'job'];

t.test('the groups of Slurm name the job', async (t) => {
  t.strictSame(slurm('12', '12', '4:memory:/slurm/uid_1000/job_12/step_0/task_0\n0::/\n'), ALL);
  t.strictSame(slurm('12', '12', '4:memory:/slurm_node1/uid_1000/job_12\n'), ALL, 'with the name of the node');
  t.strictSame(slurm('12', '12', '0::/system.slice/slurmstepd.scope/job_12/step_0/user/task_0\n'), ALL);
  t.strictSame(slurm('12', '12', '0::/system.slice/node1_slurmstepd.scope/job_12/step_0\n'), ALL);
});

t.test('what a user can make proves nothing', async (t) => {
  const others = [
    '4:memory:/user/slurm/uid_1000/job_12\n',
    '4:memory:/slurm/uid_1001/job_12/step_0\n',
    '0::/user.slice/user-1000.slice/slurmstepd.scope/job_12\n',
    '0::/user.slice/system.slice/slurmstepd.scope/job_12\n',
    '4:memory:/slurm/uid_1000/job_123/step_0\n',
    '',
  ];
  for (const groups of others) t.strictSame(slurm('12', '12', groups), WITHOUT_JOB, groups);
});

t.test('the name of an array task is what the environment says', async (t) => {
  t.strictSame(slurm('10_2', '12', '4:memory:/slurm/uid_1000/job_12/step_0\n'), WITHOUT_JOB);
});

t.test('the groups of PBS name the job', async (t) => {
  const pbs = (groups: string) =>
    verifiedParts({ scheduler: 'pbs', job: '7' }, { PBS_JOBID: '7.server' }, groups, 1000);
  t.strictSame(pbs('4:memory:/pbs_jobs.service/jobid/7.server\n'), ALL);
  t.strictSame(pbs('0::/pbs_jobs.service/jobid/7.server\n'), ALL);
  t.strictSame(pbs('0::/user.slice/pbs_jobs.service/jobid/7.server\n'), WITHOUT_JOB);
  t.strictSame(pbs('0::/pbs_jobs.service/jobid/8.server\n'), WITHOUT_JOB);
});

t.test('without a scheduler there is no job to verify', async (t) => {
  t.strictSame(verifiedParts({ scheduler: 'none', job: 'abc' }, {}, '0::/\n', 0), WITHOUT_JOB);
});
