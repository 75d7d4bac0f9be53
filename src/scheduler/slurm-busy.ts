import type { Environment } from './identity.js';

/** Reads /proc: the text of a file or null, and the names in a directory or none. */
export interface ProcFiles {
  read(path: string): string | null;
  list(path: string): readonly string[];
}

/**
 * Whether slurmstepd is running now. With proctrack/linuxproc it signals one process after another, and the job before
 * us. On a busy host the job can die of the signal while slurmstepd still waits for a CPU to send us ours.
 * @param pid of the front end
 */
export function isStepdBusy(environment: Environment, pid: number, { read, list }: ProcFiles): boolean {
  const top = environment['SLURM_TASK_PID'] ?? String(pid);
  const stepd = fieldsOf(read(`/proc/${top}/stat`))[1];
  if (stepd === undefined || Number(stepd) <= 1) return false;
  const tasks = `/proc/${stepd}/task`;
  return list(tasks).some((thread) => fieldsOf(read(`${tasks}/${thread}/stat`))[0] === 'R');
}

/** The fields after the process name, from the state on: proc_pid_stat(5). */
function fieldsOf(stat: string | null): readonly string[] {
  return stat === null ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
