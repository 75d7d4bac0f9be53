import { dirname, resolve } from 'node:path';
import type { Environment } from './identity.js';

/** Reads from slurm.conf(5) how Slurm ends a job. */

/** Slurm's default. */
const KILL_WAIT_SEC = 30;
/** Nodes without a configuration of their own ("configless") keep the controller's at the second path. */
const USUAL = ['/etc/slurm/slurm.conf', '/run/slurm/conf/slurm.conf'];

/**
 * `KillWait` in ms: the time from the TERM of scancel or a time limit to the KILL. We read the file, because with
 * `scontrol show config` every box of a job would ask the controller at the same time.
 * @param read returns the text of a file; null if it cannot be read
 */
export function killWaitMs(environment: Environment, read: (path: string) => string | null): number {
  const named = environment['SLURM_CONF'];
  const path = [...(named ? [named] : []), ...USUAL].find((candidate) => read(candidate) !== null);
  const seconds = path === undefined ? undefined : find(path, read, 0);
  return (seconds ?? KILL_WAIT_SEC) * 1000;
}

const INCLUDES_MAX_DEPTH = 3;

/** If the value is set more than once the last one counts, as for Slurm. */
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
