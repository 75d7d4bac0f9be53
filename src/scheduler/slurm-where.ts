import { execFile } from 'node:child_process';
import { EnvironmentError } from '../errors.js';

/** Finds out with Slurm's own tools where a job runs. */

export interface SlurmJob {
  /** The id as users type it: `1234`, `1234_7`, or `1234+1` for a component of a heterogeneous job. */
  readonly job: string;
  /** The id that its boxes listen to: for a heterogeneous job, that of the first component. */
  readonly address: string;
  readonly user: string;
  readonly state: string;
  /** Why the job waits, or `None`. */
  readonly reason: string;
  /** Nodes in Slurm's notation, `n[1-2]`; empty before the job has any. */
  readonly nodes: string;
  /** Id of this part alone, with which sstat names its steps. */
  readonly id: string;
}

/** Processes of a step on one node that Slurm itself has started: wrappers, or tasks without a box. */
export interface SlurmStep {
  readonly job: string;
  readonly step: string;
  readonly node: string;
  readonly pids: readonly number[];
}

const ANSWER_TIMEOUT_MS = 15_000;

/**
 * Accepts `1234`, `1234_7` and `1234+1`. From other texts squeue reads a leading number, and would answer for another
 * job.
 */
export function isSlurmJob(job: string): boolean {
  return /^\d+([_+]\d+)?$/.test(job);
}

/**
 * The parts of a job that have not ended: tasks of an array, components of a heterogeneous job, or the job itself.
 * @returns an empty array if Slurm does not know the job
 * @throws EnvironmentError if squeue fails
 */
export async function findSlurmJobs(job: string): Promise<SlurmJob[]> {
  if (!isSlurmJob(job)) return [];
  const lines = await table('squeue', ['-h', '-j', job, '-o', '%A|%i|%u|%T|%r|%N'], /Invalid job id/);
  return lines.map(([id = '', printed = '', user = '', state = '', reason = '', nodes = '']) => {
    const name = asTyped(printed);
    return { job: name, address: name.replace(/\+\d+$/, ''), user, state, reason, nodes, id };
  });
}

/** For one waiting task of an array that may run two at once, some versions print `1_[6%2]` and others `1_6`. */
function asTyped(printed: string): string {
  return printed.replace(/%\d+\]$/, ']').replace(/_\[(\d+)\]$/, '_$1');
}

/**
 * The running steps of these jobs. sstat answers only the job's owner and root.
 * @throws EnvironmentError if sstat fails
 */
export async function findSlurmSteps(jobs: readonly SlurmJob[]): Promise<SlurmStep[]> {
  if (jobs.length === 0) return [];
  const names = new Map(jobs.map(({ id, job }) => [id, job]));
  const lines = await table('sstat', ['-a', '-n', '-P', '-i', '-j', [...names.keys()].join()]);
  // One task of an array has the id of the array itself, for which sstat lists all tasks, so steps come more than once.
  const steps = new Map(lines.map(([id = '', node = '', pids = '']) => [`${id} ${node}`, { id, node, pids }]));
  return [...steps.values()].flatMap(({ id, node, pids }) => {
    const [raw = '', step = ''] = id.split(/\.(.*)/);
    const job = names.get(raw);
    return job === undefined ? [] : [{ job, step, node, pids: pids.split(',').filter(Boolean).map(Number) }];
  });
}

/**
 * Runs a tool of Slurm without the user's variables, which would change its output.
 * @param nothing matches the error that means that there is nothing to list
 */
function table(program: string, args: readonly string[], nothing?: RegExp): Promise<string[][]> {
  const { PATH, PROC_BOX_LD_LIBRARY_PATH: LD_LIBRARY_PATH, SLURM_CONF } = process.env;
  const env = { PATH, LD_LIBRARY_PATH, SLURM_CONF };
  return new Promise((answer, fail) => {
    execFile(program, args, { env, timeout: ANSWER_TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error !== null) {
        if (nothing?.test(stderr)) return answer([]);
        const missing = error.code === 'ENOENT' ? `not found in PATH (${PATH})` : error.message;
        const why = stderr.trim().split('\n', 1)[0]!.replace(`${program}: `, '') || missing;
        return fail(new EnvironmentError(`${program}: ${why}`, { cause: error }));
      }
      answer(
        stdout
          .split('\n')
          .filter(Boolean)
          .map((line) => line.split('|')),
      );
    });
  });
}
