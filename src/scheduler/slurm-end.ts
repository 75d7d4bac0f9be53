import { EnvironmentError } from '../errors.js';
import type { Environment } from './identity.js';

/** squeue itself tries for longer while the controller is away. */
const ANSWER_TIMEOUT_MS = 15_000;

/**
 * Asks the controller when Slurm will end the job of this environment: newer Slurm says so in `SLURM_JOB_END_TIME`, but
 * the time limit of a running job can be changed.
 * @returns ms since the epoch; null: never
 * @throws EnvironmentError where there is no answer
 */
export async function askJobEnd(environment: Environment, signal: AbortSignal): Promise<number | null> {
  const job = environment['SLURM_JOB_ID'] ?? '';
  const text = await squeue(['-h', '-j', job, '-o', '%A %e %l'], signal);
  // The id of an array names all of its tasks.
  const [, end = '', limit] = new RegExp(`^${job} (\\S+) (\\S+)$`, 'm').exec(text) ?? [];
  // Without a limit some versions print NONE as the end, others a date 365 days after the start.
  if (limit === 'UNLIMITED' || end === 'NONE') return null;
  if (/^\d{9,12}$/.test(end)) return Number(end) * 1000;
  throw new EnvironmentError(`squeue -j ${job}: no end in its answer ${JSON.stringify(text.slice(0, 200))}`);
}

/**
 * The user's own settings of squeue would change what it prints. Our own PATH: that of a process which root has adopted, or
 * that has asked a supervisor, says what its user wants to be executed. The front end keeps LD_LIBRARY_PATH from Node.
 */
async function squeue(args: readonly string[], signal: AbortSignal): Promise<string> {
  // Loading it takes longer than all that most boxes need of this file.
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
