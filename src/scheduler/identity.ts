import type { JobIdentity } from '../options/spec.js';

/** Identifies the job from the environment that its scheduler gave it: docs/slurm.md, docs/pbs.md. */

export type Environment = Readonly<Record<string, string | undefined>>;
export type SchedulerName = JobIdentity['scheduler'];

/** The part of an identity that the environment does not tell. */
export interface Self {
  /** Name of the user, as in passwd(5). */
  readonly user: string;
  readonly host: string;
  /** Unique for this run. */
  readonly box: string;
}

const WORD_MAX = 100;

type Named = Omit<JobIdentity, keyof Self | 'scheduler'>;

interface Scheduler {
  /** Set in every job of this scheduler, and nowhere else. */
  readonly mark: string;
  /** Variable that holds the job's id. @default the mark */
  readonly id?: string;
  readonly identify: (environment: Environment, jobId: string, host: string) => Named;
}

const UNKNOWN = { cluster: null, step: null, task: null, restart: 0, node: null, queue: null } as const;

/** The first row whose mark is set counts. */
const SCHEDULERS: Readonly<Record<Exclude<SchedulerName, 'none'>, Scheduler>> = {
  slurm: { mark: 'SLURM_JOB_ID', identify: identifySlurm },
  pbs: { mark: 'PBS_JOBID', identify: identifyPbs },
  sge: { mark: 'SGE_TASK_ID', id: 'JOB_ID', identify: identifyGridEngine },
  lsf: { mark: 'LSB_JOBID', identify: identifyLsf },
  // HTCondor does not tell a job its id, unless the submit file has `environment =
  // "CONDOR_JOB_ID=$(Cluster).$(Process)"`.
  htcondor: { mark: '_CONDOR_SLOT', id: 'CONDOR_JOB_ID', identify: identifyCondor },
};

/**
 * Reserved step ids, such as SLURM_BATCH_SCRIPT (0xfffffffb) in slurm.h. Slurm 26.05 writes them into the environment
 * as negative numbers.
 */
const SLURM_STEPS: Readonly<Record<string, string>> = {
  '4294967291': 'batch',
  '-5': 'batch',
  '4294967292': 'extern',
  '-4': 'extern',
  '4294967290': 'interactive',
  '-6': 'interactive',
};

/** Never throws. Without a scheduler, the id of the box stands for that of the job. */
export function identifyJob(environment: Environment, self: Self): JobIdentity {
  const scheduler = findScheduler(environment);
  if (scheduler === 'none') {
    return { scheduler, ...UNKNOWN, job: self.box, ...self };
  }
  const { mark, id = mark, identify } = SCHEDULERS[scheduler];
  return { scheduler, ...identify(environment, present(environment[id]) ?? self.box, self.host), ...self };
}

/**
 * Job, step and task as one word for the names of files and control groups, such as `1234_7.batch.0`; null without a
 * scheduler. Needs no name service, because it is called before the job starts.
 */
export function jobWord(environment: Environment): string | null {
  const scheduler = findScheduler(environment);
  if (scheduler === 'none') return null;
  const { mark, id = mark, identify } = SCHEDULERS[scheduler];
  const jobId = present(environment[id]);
  if (jobId === null) return null;
  const { job, step, task } = identify(environment, jobId, '');
  const word = [job, step, task].filter((part) => part !== null).join('.');
  return word.replaceAll(/[^\w.+-]/g, '_').slice(0, WORD_MAX);
}

/** The variables that mark the jobs of a scheduler. */
export function schedulerMarks(): readonly string[] {
  return Object.values(SCHEDULERS).map(({ mark }) => mark);
}

/** The scheduler that runs this job. */
export function findScheduler(environment: Environment): SchedulerName {
  for (const [name, { mark }] of Object.entries(SCHEDULERS)) {
    if (present(environment[mark]) !== null) return name as SchedulerName;
  }
  return 'none';
}

function identifySlurm(environment: Environment, jobId: string): Named {
  const array = present(environment['SLURM_ARRAY_JOB_ID']);
  const arrayTask = present(environment['SLURM_ARRAY_TASK_ID']);
  // The batch script's environment has no step id.
  const step = present(environment['SLURM_STEP_ID']) ?? 'batch';
  // Users cancel and watch a heterogeneous job by the id of its first component.
  const leader = present(environment['SLURM_JOB_ID_HET_GROUP_0']) ?? jobId;
  return {
    cluster: present(environment['SLURM_CLUSTER_NAME']),
    job: array !== null && arrayTask !== null ? `${array}_${arrayTask}` : leader,
    step: SLURM_STEPS[step] ?? step,
    task: present(environment['SLURM_PROCID']),
    restart: count(environment['SLURM_RESTART_COUNT']),
    node: present(environment['SLURMD_NODENAME']),
    queue: present(environment['SLURM_JOB_PARTITION']),
  };
}

/** The id is `123.server`; for an array task `123[4].server`, or `123[].server` with the index in another variable. */
function identifyPbs(environment: Environment, jobId: string, host: string): Named {
  const match = /^([^.[]+)(?:\[(\d*)\])?(?:\.(.+))?$/.exec(jobId);
  const [, number = jobId, index, server] = match ?? [];
  const arrayTask = index === undefined ? null : (present(index) ?? present(environment['PBS_ARRAY_INDEX']));
  return {
    cluster: server ?? null,
    job: arrayTask === null ? number : `${number}_${arrayTask}`,
    step: null,
    // For task A in MoM's log, the variable holds `0000000A`.
    task: present(environment['PBS_TASKNUM'])?.replace(/^0+(?=.)/, '') ?? null,
    // Only the site's hook tells it (scripts/site/pbs/hook.py).
    restart: count(environment['PBS_RESTART_COUNT']),
    // PBS_NODENUM is only an index. Unless a site sets another name, a node is called like its host up to the first
    // dot.
    node: present(host.split('.', 1)[0]),
    queue: present(environment['PBS_QUEUE']),
  };
}

/** Grid Engine's qsub(1), "ENVIRONMENTAL VARIABLES". SGE_TASK_ID is `undefined` in a job that is not an array. */
function identifyGridEngine(environment: Environment, jobId: string): Named {
  const arrayTask = present(environment['SGE_TASK_ID']);
  return {
    ...UNKNOWN,
    cluster: present(environment['SGE_CLUSTER_NAME']) ?? present(environment['SGE_CELL']),
    job: arrayTask === null || arrayTask === 'undefined' ? jobId : `${jobId}_${arrayTask}`,
    restart: count(environment['RESTARTED']),
    queue: present(environment['QUEUE']),
  };
}

/** LSB_JOBINDEX is 0 in a job that is not an array. */
function identifyLsf(environment: Environment, jobId: string): Named {
  const index = present(environment['LSB_JOBINDEX']);
  return {
    ...UNKNOWN,
    job: index === null || index === '0' ? jobId : `${jobId}_${index}`,
    queue: present(environment['LSB_QUEUE']),
  };
}

function identifyCondor(environment: Environment, jobId: string): Named {
  return { ...UNKNOWN, job: jobId.replace('.', '_'), node: present(environment['_CONDOR_SLOT']) };
}

function present(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

function count(value: string | undefined): number {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : 0;
}
