import type { Environment } from './identity.js';

const SIGTERM_BIT = 1n << 14n;

/**
 * Slurm tells the top process of a step to end, and kills the rest of the step as soon as that has ended. Where the top
 * is a shell that dies of the signal, a box below it is killed without notice.
 * @param readStatus text of `/proc/<pid>/status`, null where there is no such process
 * @returns what is wrong, or null
 */
export function whyUnnoticed(
  environment: Environment,
  pid: number,
  readStatus: (pid: number) => string | null,
): string | null {
  const top = Number(environment['SLURM_TASK_PID']);
  if (!Number.isInteger(top) || top <= 1 || top === pid) return null;
  const status = readStatus(top);
  if (status === null || handles(status, SIGTERM_BIT)) return null;
  const name = /^Name:\s*(.*)$/m.exec(status)?.[1] ?? 'a process';
  return `this box is not the top process of its step: ${name} (pid ${top}) is, dies of Slurm's TERM, and Slurm then kills the job without notice; use "exec proc_box ..." or "srun proc_box ..." (docs/slurm.md)`;
}

/** Caught or ignored; proc_pid_status(5) SigCgt, SigIgn. */
function handles(status: string, bit: bigint): boolean {
  const mask = (field: string) => BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return ((mask('SigCgt') | mask('SigIgn')) & bit) !== 0n;
}
