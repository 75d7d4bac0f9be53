import { execFile } from 'node:child_process';
import { EnvironmentError } from '../errors.js';

/** Where a job of Slurm runs, from Slurm's own tools. */

export interface SlurmJob {
  /** As users type it: `1234`, `1234_7`, of a heterogeneous job `1234+1`. */
  readonly job: string;
  /** As its boxes are addressed: those of a heterogeneous job by its first component. */
  readonly address: string;
  readonly user: string;
  readonly state: string;
  /** Why it waits, or `None`. */
  readonly reason: string;
  /** Slurm's list: `n[1-2]`; empty where it has none yet. */
  readonly nodes: string;
  /** Of this part alone, as sstat names its steps. */
  readonly id: string;
}

/** Processes of a step on one node that Slurm has started itself: wrappers, or tasks without a box. */
export interface SlurmStep {
  readonly job: string;
  readonly step: string;
  readonly node: string;
  readonly pids: readonly number[];
}

const ANSWER_TIMEOUT_MS = 15_000;

/** `1234`, `1234_7`, `1234+1`. Of anything else squeue takes the number at its begin, and would answer for another job. */
export function isSlurmJob(job: string): boolean {
  return /^\d+([_+]\d+)?$/.test(job);
}

/**
 * The job's parts that have not ended: tasks of an array, components of a heterogeneous job, or just itself.
 * @returns none where Slurm knows no such job
 * @throws EnvironmentError where squeue cannot tell
 */
export async function findSlurmJobs(job: string): Promise<SlurmJob[]> {
  if (!isSlurmJob(job)) return [];
  const lines = await table('squeue', ['-h', '-j', job, '-o', '%A|%i|%u|%T|%r|%N'], /Invalid job id/);
  return lines.map(([id = '', name = '', user = '', state = '', reason = '', nodes = '']) => {
    return { job: name, address: name.replace(/\+\d+$/, ''), user, state, reason, nodes, id };
  });
}

/**
 * For the job's owner, and for root.
 * @throws EnvironmentError where sstat cannot tell
 */
export async function findSlurmSteps(jobs: readonly SlurmJob[]): Promise<SlurmStep[]> {
  if (jobs.length === 0) return [];
  const names = new Map(jobs.map(({ id, job }) => [id, job]));
  const lines = await table('sstat', ['-a', '-n', '-P', '-i', '-j', [...names.keys()].join()]);
  // An array's own id, which one of its tasks has, stands for all of them.
  const steps = new Map(lines.map(([id = '', node = '', pids = '']) => [`${id} ${node}`, { id, node, pids }]));
  return [...steps.values()].flatMap(({ id, node, pids }) => {
    const [raw = '', step = ''] = id.split(/\.(.*)/);
    const job = names.get(raw);
    return job === undefined ? [] : [{ job, step, node, pids: pids.split(',').filter(Boolean).map(Number) }];
  });
}

/**
 * The user's own formats would change what is printed.
 * @param nothing an error that stands for no lines
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
