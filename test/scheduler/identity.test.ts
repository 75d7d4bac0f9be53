import fc from 'fast-check';
import t from 'tap';
import { type Environment, identifyJob, jobWord } from '../../src/scheduler/identity.js';

const nothing = { cluster: null, step: null, task: null, restart: 0, node: null, queue: null };
const self = { user: 'alice', host: 'n1.example.org', box: 'b0' };

t.test('a job is named as its scheduler names it', async (t) => {
  const batch = { SLURM_JOB_ID: '1234', SLURM_CLUSTER_NAME: 'hpc', SLURM_PROCID: '0' };
  const cases: [string, Environment, object][] = [
    [
      'no scheduler',
      {},
      { scheduler: 'none', cluster: null, job: 'b0', step: null, task: null, restart: 0, node: null, queue: null },
    ],
    [
      'an empty mark',
      { SLURM_JOB_ID: '', PBS_JOBID: '' },
      { scheduler: 'none', cluster: null, job: 'b0', step: null, task: null, restart: 0, node: null, queue: null },
    ],
    [
      'a Slurm batch script',
      batch,
      {
        scheduler: 'slurm',
        cluster: 'hpc',
        job: '1234',
        step: 'batch',
        task: '0',
        restart: 0,
        node: null,
        queue: null,
      },
    ],
    [
      'a Slurm task',
      { ...batch, SLURM_STEP_ID: '3', SLURM_PROCID: '17', SLURMD_NODENAME: 'n7' },
      { scheduler: 'slurm', cluster: 'hpc', job: '1234', step: '3', task: '17', restart: 0, node: 'n7', queue: null },
    ],
    [
      'a task in the second component of a heterogeneous Slurm job',
      { SLURM_JOB_ID: '1235', SLURM_JOB_ID_HET_GROUP_0: '1234', SLURM_STEP_ID: '0', SLURM_PROCID: '2' },
      { scheduler: 'slurm', cluster: null, job: '1234', step: '0', task: '2', restart: 0, node: null, queue: null },
    ],
    [
      'a Slurm array task',
      { ...batch, SLURM_JOB_ID: '122', SLURM_ARRAY_JOB_ID: '121', SLURM_ARRAY_TASK_ID: '7' },
      {
        scheduler: 'slurm',
        cluster: 'hpc',
        job: '121_7',
        step: 'batch',
        task: '0',
        restart: 0,
        node: null,
        queue: null,
      },
    ],
    [
      'a requeued Slurm job',
      { SLURM_JOB_ID: '5', SLURM_RESTART_COUNT: '2' },
      { scheduler: 'slurm', cluster: null, job: '5', step: 'batch', task: null, restart: 2, node: null, queue: null },
    ],
    [
      'a Slurm job with junk in its restart count',
      { SLURM_JOB_ID: '5', SLURM_RESTART_COUNT: '-1' },
      { scheduler: 'slurm', cluster: null, job: '5', step: 'batch', task: null, restart: 0, node: null, queue: null },
    ],
    [
      "Slurm's own steps",
      { SLURM_JOB_ID: '5', SLURM_STEP_ID: '4294967290' },
      {
        scheduler: 'slurm',
        cluster: null,
        job: '5',
        step: 'interactive',
        task: null,
        restart: 0,
        node: null,
        queue: null,
      },
    ],
    ...[
      ['-5', 'batch'],
      ['-4', 'extern'],
      ['-6', 'interactive'],
      ['4294967291', 'batch'],
      ['4294967292', 'extern'],
      ['4294967290', 'interactive'],
      ['', 'batch'],
    ].map(([id, step]): (typeof cases)[number] => [
      `step ${id}, as versions of Slurm write it`,
      { SLURM_JOB_ID: '5', SLURM_STEP_ID: id },
      { scheduler: 'slurm', cluster: null, job: '5', step: step!, task: null, restart: 0, node: null, queue: null },
    ]),
    [
      'a PBS job',
      { PBS_JOBID: '123.srv', PBS_TASKNUM: '1' },
      { scheduler: 'pbs', cluster: 'srv', job: '123', step: null, task: '1', restart: 0, node: 'n1', queue: null },
    ],
    [
      'a PBS task of pbsdsh on another node, with its queue',
      { PBS_JOBID: '123.srv', PBS_TASKNUM: '0000000A', PBS_NODENUM: '1', PBS_QUEUE: 'workq' },
      { scheduler: 'pbs', cluster: 'srv', job: '123', step: null, task: 'A', restart: 0, node: 'n1', queue: 'workq' },
    ],
    [
      'a PBS job that was requeued, as the hook tells it',
      { PBS_JOBID: '123.srv', PBS_RESTART_COUNT: '2' },
      { scheduler: 'pbs', cluster: 'srv', job: '123', step: null, task: null, restart: 2, node: 'n1', queue: null },
    ],
    [
      'Grid Engine',
      { JOB_ID: '9', SGE_TASK_ID: 'undefined', SGE_CELL: 'default', QUEUE: 'all.q', RESTARTED: '1' },
      { scheduler: 'sge', cluster: 'default', job: '9', task: null, restart: 1, queue: 'all.q' },
    ],
    ['a Grid Engine array task', { JOB_ID: '9', SGE_TASK_ID: '4' }, { scheduler: 'sge', job: '9_4' }],
    [
      'LSF',
      { LSB_JOBID: '8', LSB_JOBINDEX: '0', LSB_QUEUE: 'normal' },
      { scheduler: 'lsf', job: '8', queue: 'normal' },
    ],
    ['an LSF array task', { LSB_JOBID: '8', LSB_JOBINDEX: '3' }, { scheduler: 'lsf', job: '8_3' }],
    [
      'HTCondor',
      { _CONDOR_SLOT: 'slot1_2', CONDOR_JOB_ID: '12.3' },
      { scheduler: 'htcondor', job: '12_3', node: 'slot1_2' },
    ],
    ['HTCondor without an id', { _CONDOR_SLOT: 'slot1' }, { scheduler: 'htcondor', job: 'b0', node: 'slot1' }],
    [
      'a PBS array task',
      { PBS_JOBID: '123[4].srv.example.org', PBS_ARRAY_INDEX: '4' },
      {
        scheduler: 'pbs',
        cluster: 'srv.example.org',
        job: '123_4',
        step: null,
        task: null,
        restart: 0,
        node: 'n1',
        queue: null,
      },
    ],
    [
      'a PBS array task with its index apart',
      { PBS_JOBID: '123[].srv', PBS_ARRAY_INDEX: '4' },
      { scheduler: 'pbs', cluster: 'srv', job: '123_4', step: null, task: null, restart: 0, node: 'n1', queue: null },
    ],
    [
      'a PBS array',
      { PBS_JOBID: '123[].srv' },
      { scheduler: 'pbs', cluster: 'srv', job: '123', step: null, task: null, restart: 0, node: 'n1', queue: null },
    ],
    [
      'a PBS job without server',
      { PBS_JOBID: '123' },
      { scheduler: 'pbs', cluster: null, job: '123', step: null, task: null, restart: 0, node: 'n1', queue: null },
    ],
    [
      'an odd PBS id',
      { PBS_JOBID: '.x' },
      { scheduler: 'pbs', cluster: null, job: '.x', step: null, task: null, restart: 0, node: 'n1', queue: null },
    ],
  ];
  for (const [name, environment, identity] of cases)
    t.strictSame(identifyJob(environment, self), { ...nothing, ...identity, ...self }, name);
});

t.test('no environment makes it throw or leave the job without a name', async (t) => {
  const name = fc.constantFrom(
    'SLURM_JOB_ID',
    'SLURM_ARRAY_JOB_ID',
    'SLURM_ARRAY_TASK_ID',
    'SLURM_STEP_ID',
    'SLURM_RESTART_COUNT',
    'PBS_JOBID',
    'PBS_ARRAY_INDEX',
  );
  fc.assert(fc.property(fc.dictionary(name, fc.string()), (environment) => identifyJob(environment, self).job !== ''));
  t.pass();
});

t.test('job, step and task are one word for names', async (t) => {
  t.equal(jobWord({}), null);
  t.equal(jobWord({ SLURM_JOB_ID: '12', SLURM_PROCID: '0' }), '12.batch.0');
  t.equal(jobWord({ SLURM_JOB_ID: '12', SLURM_ARRAY_JOB_ID: '11', SLURM_ARRAY_TASK_ID: '3' }), '11_3.batch');
  t.equal(jobWord({ PBS_JOBID: '123[4].srv' }), '123_4');
  t.equal(jobWord({ SLURM_JOB_ID: '../x' }), '.._x.batch');
});
