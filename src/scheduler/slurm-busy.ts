import type { Environment } from './identity.js';

/** What is read of /proc; null and empty where there is nothing to read. */
export interface ProcFiles {
  read(path: string): string | null;
  list(path: string): readonly string[];
}

/**
 * Whether slurmstepd is at work now. With proctrack/linuxproc it signals one process after the other, the job before us:
 * on a busy host a job can die of its signal while slurmstepd waits for a CPU to send us ours.
 * @param pid our own
 */
export function isStepdBusy(environment: Environment, pid: number, { read, list }: ProcFiles): boolean {
  const top = environment['SLURM_TASK_PID'] ?? String(pid);
  const stepd = fieldsOf(read(`/proc/${top}/stat`))[1];
  if (stepd === undefined || Number(stepd) <= 1) return false;
  const tasks = `/proc/${stepd}/task`;
  return list(tasks).some((thread) => fieldsOf(read(`${tasks}/${thread}/stat`))[0] === 'R');
}

/** State and parent come first after the name; proc_pid_stat(5). */
function fieldsOf(stat: string | null): readonly string[] {
  return stat === null ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
