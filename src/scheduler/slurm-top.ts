import type { Environment } from './identity.js';

const SIGTERM_BIT = 1n << 14n;

/**
 * Why this box would get no notice of its end. Slurm sends TERM to the top process of a step, and kills the rest of the
 * step as soon as that process has ended. If it is a shell that dies of TERM, Slurm kills the box below it without
 * notice.
 * @param readStatus returns the text of `/proc/<pid>/status`; null if there is no such process
 * @returns null if the box would get a notice
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

/** Whether the process catches or ignores the signal: SigCgt and SigIgn of proc_pid_status(5). */
function handles(status: string, bit: bigint): boolean {
  const mask = (field: string) => BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return ((mask('SigCgt') | mask('SigIgn')) & bit) !== 0n;
}
