import type { JobIdentity } from '../spec/spec.js';

/** Who the job is, from the environment that its scheduler gave it: docs/slurm.md, docs/pbs.md. */

export type Environment = Readonly<Record<string, string | undefined>>;
export type SchedulerName = JobIdentity['scheduler'];

/** What the environment cannot say. */
export interface Self {
  /** passwd name of the user. */
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
  readonly identify: (environment: Environment, jobId: string) => Named;
}

/** The first whose mark is set counts. */
const SCHEDULERS: Readonly<Record<Exclude<SchedulerName, 'none'>, Scheduler>> = {
  slurm: { mark: 'SLURM_JOB_ID', identify: identifySlurm },
  pbs: { mark: 'PBS_JOBID', identify: identifyPbs },
};

/** Step ids that Slurm keeps for itself; slurm.h SLURM_BATCH_SCRIPT and the like. */
const SLURM_STEPS: Readonly<Record<string, string>> = {
  '4294967291': 'batch',
  '4294967292': 'extern',
  '4294967290': 'interactive',
};

/** Never throws; without a scheduler the job is named by its box. */
export function identifyJob(environment: Environment, self: Self): JobIdentity {
  const scheduler = findScheduler(environment);
  if (scheduler === 'none') {
    return { scheduler, cluster: null, job: self.box, step: null, task: null, restart: 0, node: null, ...self };
  }
  const { mark, identify } = SCHEDULERS[scheduler];
  return { scheduler, ...identify(environment, environment[mark]!), ...self };
}

/**
 * Job, step and task as one word for names of files and control groups, `1234_7.batch.0`; null without a scheduler.
 * Asks nobody: it is needed before the job starts.
 */
export function jobWord(environment: Environment): string | null {
  const scheduler = findScheduler(environment);
  if (scheduler === 'none') return null;
  const { mark, identify } = SCHEDULERS[scheduler];
  const { job, step, task } = identify(environment, environment[mark]!);
  const word = [job, step, task].filter((part) => part !== null).join('.');
  return word.replaceAll(/[^\w.+-]/g, '_').slice(0, WORD_MAX);
}

/** The scheduler whose job this is. */
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
  };
}

/** `123.server`, array task `123[4].server`, or `123[].server` with its index beside it. */
function identifyPbs(environment: Environment, jobId: string): Named {
  const match = /^([^.[]+)(?:\[(\d*)\])?(?:\.(.+))?$/.exec(jobId);
  const [, number = jobId, index, server] = match ?? [];
  const arrayTask = index === undefined ? null : (present(index) ?? present(environment['PBS_ARRAY_INDEX']));
  return {
    cluster: server ?? null,
    job: arrayTask === null ? number : `${number}_${arrayTask}`,
    step: null,
    task: present(environment['PBS_TASKNUM']),
    restart: 0,
    node: null,
  };
}

function present(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

function count(value: string | undefined): number {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : 0;
}
