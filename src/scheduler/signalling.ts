import { type Environment, findScheduler } from './identity.js';

/** Slurm's proctracks that signal the task alone: through the wrapper. slurm.conf(5). */
const TASK_ALONE = /^[ \t]*ProctrackType[ \t]*=[ \t]*proctrack\/(?:cgroup|pgid)\b/im;

/**
 * How long to wait, ms, before a signal to the wrapper counts as one that the job has not got by itself: schedulers send
 * to one process after the other, in an order of their own. 0 where this scheduler signals nobody but the wrapper.
 * @param readFile text of a file; null where it cannot be read
 */
export function signalWaitMs(environment: Environment, readFile: (path: string) => string | null): number {
  switch (findScheduler(environment)) {
    case 'slurm': {
      const conf = environment['SLURM_CONF'];
      return conf !== undefined && TASK_ALONE.test(readFile(conf) ?? '') ? 0 : 50;
    }
    case 'pbs':
      // Only what is sent by hand waits: nobody but a MoM signals the wrapper, and it signals the whole session.
      return 200;
    case 'none':
      return 0;
    default:
      // By process group, additional group id, or tree, as the site has it.
      return 50;
  }
}
