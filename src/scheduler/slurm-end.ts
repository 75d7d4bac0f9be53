import { EnvironmentError } from '../errors.js';
import { SLURM_HORIZON_MS } from './deadline.js';
import type { Environment } from './identity.js';

/** While the controller does not answer, squeue itself would try for longer. */
const ANSWER_TIMEOUT_MS = 15_000;

/**
 * Asks the controller when Slurm will end the job of this environment. Newer Slurm tells it in `SLURM_JOB_END_TIME`,
 * but an operator can change the time limit of a running job.
 * @returns ms since the epoch; null for a job without an end
 * @throws EnvironmentError if there is no answer
 */
export async function askJobEnd(environment: Environment, signal: AbortSignal): Promise<number | null> {
  const job = environment['SLURM_JOB_ID'] ?? '';
  const text = await squeue(['-h', '-j', job, '-o', '%A %e %l'], signal);
  // If this is the id of a whole array, squeue lists all of its tasks.
  const [, end = '', limit] = new RegExp(`^${job} (\\S+) (\\S+)$`, 'm').exec(text) ?? [];
  // For a job without a limit, some versions print NONE as the end, others a date 365 days after the start.
  if (limit === 'UNLIMITED' || end === 'NONE') return null;
  if (/^\d{9,12}$/.test(end)) {
    const endMs = Number(end) * 1000;
    // Without a time as the limit, such as NOT_SET, only the distance tells.
    return /^\d/.test(limit ?? '') || endMs - Date.now() <= SLURM_HORIZON_MS ? endMs : null;
  }
  throw new EnvironmentError(`squeue -j ${job}: its answer holds no end time: ${JSON.stringify(text.slice(0, 200))}`);
}

/**
 * Runs squeue with a minimal environment, because the user's SQUEUE_* variables would change its output. The PATH is
 * this process's own: that of a process which root adopts, or of a supervisor's client, would let its user choose what
 * is executed. The front end passes LD_LIBRARY_PATH to Node under another name.
 */
async function squeue(args: readonly string[], signal: AbortSignal): Promise<string> {
  // Imported late, because most boxes never call this and loading it takes long.
  const { execFile } = await import('node:child_process');
  const { PATH, PROC_BOX_LD_LIBRARY_PATH: LD_LIBRARY_PATH, SLURM_CONF } = process.env;
  const env = { PATH, LD_LIBRARY_PATH, SLURM_CONF, SLURM_TIME_FORMAT: '%s' };
  const options = { env, signal, timeout: ANSWER_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
  return new Promise((answer, fail) => {
    execFile('squeue', args, options, (error, stdout, stderr) => {
      if (error === null) return answer(stdout);
      const why = stderr.trim().split('\n', 1)[0] || (error.killed ? `no answer within ${ANSWER_TIMEOUT_MS} ms` : '');
      fail(new EnvironmentError(`squeue ${args.join(' ')}: ${why || error.message}`, { cause: error }));
    });
  });
}
