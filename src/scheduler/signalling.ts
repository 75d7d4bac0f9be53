import { type Environment, findScheduler } from './identity.js';

/** Slurm's proctrack plugins that signal only the task, which is the wrapper: slurm.conf(5). */
const TASK_ALONE = /^[ \t]*ProctrackType[ \t]*=[ \t]*proctrack\/(?:cgroup|pgid)\b/im;

/**
 * How long to wait, in ms, before a signal to the wrapper counts as one that the job did not get from the scheduler as
 * well: schedulers signal one process after another, in any order. 0 if this scheduler signals only the wrapper.
 * @param readFile returns the text of a file; null if it cannot be read
 */
export function signalWaitMs(environment: Environment, readFile: (path: string) => string | null): number {
  switch (findScheduler(environment)) {
    case 'slurm': {
      const conf = environment['SLURM_CONF'];
      return conf !== undefined && TASK_ALONE.test(readFile(conf) ?? '') ? 0 : 50;
    }
    case 'pbs':
      // This delays only signals that a user sends. MoM signals the whole session, so the keeper gets its signals at
      // once.
      return 200;
    case 'none':
      return 0;
    default:
      // Depending on the site, these signal a process group, a tree, or all processes with an additional group id.
      return 50;
  }
}
