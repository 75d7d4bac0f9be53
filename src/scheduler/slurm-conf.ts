import { dirname, resolve } from 'node:path';
import type { Environment } from './identity.js';

/** What slurm.conf(5) says about the end of a job. */

/** Slurm's default. */
const KILL_WAIT_SEC = 30;
/** The second is where nodes without a configuration of their own keep the controller's. */
const USUAL = ['/etc/slurm/slurm.conf', '/run/slurm/conf/slurm.conf'];

/**
 * `KillWait`: time from the TERM of scancel or of a time limit to the KILL, ms. Read from the file, which costs the
 * controller nothing; `scontrol show config` would be a request to it from every box of a job at once.
 * @param read text of a file, null where it cannot be read
 */
export function killWaitMs(environment: Environment, read: (path: string) => string | null): number {
  const named = environment['SLURM_CONF'];
  const path = [...(named ? [named] : []), ...USUAL].find((candidate) => read(candidate) !== null);
  const seconds = path === undefined ? undefined : find(path, read, 0);
  return (seconds ?? KILL_WAIT_SEC) * 1000;
}

const INCLUDES_MAX_DEPTH = 3;

/** The last one counts, as for Slurm. */
function find(path: string, read: (path: string) => string | null, depth: number): number | undefined {
  let seconds: number | undefined;
  for (const line of (read(path) ?? '').split('\n')) {
    const [, name = '', value = ''] = /^\s*(killwait|include)[\s=]+([^\s#]+)/i.exec(line) ?? [];
    if (name.toLowerCase() === 'killwait' && /^\d{1,6}$/.test(value)) seconds = Number(value);
    if (name.toLowerCase() === 'include' && depth < INCLUDES_MAX_DEPTH) {
      seconds = find(resolve(dirname(path), value), read, depth + 1) ?? seconds;
    }
  }
  return seconds;
}
