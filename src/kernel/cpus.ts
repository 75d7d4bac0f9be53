import { readProc, type Task } from './task.js';

/** The CPUs that a process may use, `Cpus_allowed_list` of proc_pid_status(5). @param pid null: who carries it out */
export function* allowedCpus(pid: number | null): Task<string> {
  return /^Cpus_allowed_list:\s*(.*)$/m.exec(yield* readProc('status', pid))?.[1] ?? '';
}
