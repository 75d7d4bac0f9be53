import { EnvironmentError } from '../errors.js';
import { known } from '../kernel/task.js';
import type { BoxCgroup } from './types.js';

/** The null object: a box without control groups. @param why the reason that `holds` gives */
export function noCgroup(why: string): BoxCgroup {
  return {
    forkInto: null,
    tasks: [],
    freezer: null,
    killFile: null,
    cleanup: [],
    dirs: [],
    pressureDir: null,
    procsFile: null,
    holds: () => ({ why }),
    ceiling: () => known({ value: 'unlimited', path: '' }),
    set() {
      throw new EnvironmentError(why);
    },
    inForce: () => known(null),
    usageFiles: () => [],
    usage: () => null,
    chargedFile: () => null,
  };
}
