import { execFile } from 'node:child_process';
import { EnvironmentError } from '../errors.js';

/** Where a job of Slurm runs, from Slurm's own tools. */

export interface SlurmJob {
  /** As users type it, and as its boxes are addressed. */
  readonly job: string;
  readonly user: string;
  readonly state: string;
  /** Slurm's list: `n[1-2]`. */
  readonly nodes: string;
}

/** Processes of a step on one node that Slurm has started itself: wrappers, or tasks without a box. */
export interface SlurmStep {
  readonly step: string;
  readonly node: string;
  readonly pids: readonly number[];
}

const ANSWER_TIMEOUT_MS = 15_000;

/**
 * The job's parts that run: tasks of an array, components of a heterogeneous job, or just itself.
 * @throws EnvironmentError where squeue cannot tell
 */
export async function findSlurmJobs(job: string): Promise<SlurmJob[]> {
  const lines = await table('squeue', ['-h', '-j', job, '-t', 'R,S,CG', '-o', '%i|%u|%T|%N']);
  return lines.map(([id = '', user = '', state = '', nodes = '']) => ({
    job: id.replace(/\+\d+$/, ''),
    user,
    state,
    nodes,
  }));
}

/**
 * For the job's owner, and for root.
 * @throws EnvironmentError where sstat cannot tell
 */
export async function findSlurmSteps(job: string): Promise<SlurmStep[]> {
  const lines = await table('sstat', ['-a', '-n', '-P', '-i', '-j', job]);
  return lines.map(([id = '', node = '', pids = '']) => ({
    step: id.slice(id.indexOf('.') + 1),
    node,
    pids: pids.split(',').filter(Boolean).map(Number),
  }));
}

/** The user's own formats would change what is printed. */
function table(program: string, args: readonly string[]): Promise<string[][]> {
  const { PATH, LD_LIBRARY_PATH, SLURM_CONF } = process.env;
  const env = { PATH, LD_LIBRARY_PATH, SLURM_CONF };
  return new Promise((answer, fail) => {
    execFile(program, args, { env, timeout: ANSWER_TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error !== null) {
        const why = stderr.trim().split('\n', 1)[0] || error.message;
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
