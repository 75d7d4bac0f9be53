/**
 * One box's control groups, whatever the kernel has: v2, v1 (a directory a controller), both (hybrid), or none.
 * Which mechanism serves a limit is decided once, when the groups are made; nobody asks again.
 */
import type { CgroupLimitName, CountedName } from '../options/table/limits.js';
import type { CgroupUsage } from './usage.js';

/** In the unit of the limit's row in the table; a CPU list is text. */
export type CgroupValue = number | 'unlimited' | string | readonly IoLimit[];

/** Limits of one block device; a missing one stays as it is, 'unlimited' takes it away. */
export interface IoLimit {
  /** `major:minor`. */
  readonly device: string;
  readonly rbps?: number | 'unlimited';
  readonly wbps?: number | 'unlimited';
  readonly riops?: number | 'unlimited';
  readonly wiops?: number | 'unlimited';
}

/** What carries a limit out. */
export type Mechanism = 'cgroup2' | 'cgroup1';

/** Steps that take the groups away again, in order; the keeper runs them too when the wrapper was killed. */
export type CleanupStep =
  | { readonly op: 'rmdir'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly text: string };

export interface BoxCgroup {
  /** v2 directory that the job is forked into, clone3(2) CLONE_INTO_CGROUP; null where there is none. */
  readonly forkInto: string | null;
  /** v1 `tasks` files; the job writes `0` to each of them before exec. */
  readonly tasks: readonly string[];
  /** The group whose freezer stops the box; null where there is none. */
  readonly freezer: { readonly version: 1 | 2; readonly dir: string } | null;
  /** `cgroup.kill`, Linux 5.14; null where there is none. */
  readonly killFile: string | null;
  readonly cleanup: readonly CleanupStep[];
  /** Every directory of the box, one a hierarchy. */
  readonly dirs: readonly string[];
  /** What would hold this limit, or why nothing would: evidence and remedy. */
  holds(name: CgroupLimitName): { readonly mechanism: Mechanism } | { readonly why: string };
  /** The tightest limit of the groups around the box, in the unit of the limit; its path. 'unlimited' where there is none. */
  ceiling(name: CgroupLimitName): { readonly value: number | 'unlimited'; readonly path: string };
  /**
   * Sets a limit and returns what is in force then. On a running box it makes the group first where that is possible.
   * @throws EnvironmentError with path, value and errno
   */
  set(name: CgroupLimitName, value: CgroupValue): CgroupValue;
  /** What the group that holds a limit says now; null where none holds it, or it cannot be read. */
  inForce(name: CgroupLimitName): CgroupValue | null;
  /** Figures of now; null where no group counts any. Never throws: what cannot be read is null. */
  usage(): CgroupUsage | null;
  /** What counts against a limit now, from one small file: bytes with page cache for memory. Null where no group counts it. */
  charged(name: CountedName): number | null;
  /** Closes what `usage` keeps open. */
  close(): void;
  /** Directory with the pressure files of the box; null where there is none. */
  readonly pressureDir: string | null;
  /** One `cgroup.procs` that lists the box; null where there is none. */
  readonly procsFile: string | null;
}

/** Of a process that runs already. */
export interface Adoption {
  readonly pid: number;
  /** Moves it and all of its processes into a group, by its `cgroup.procs`. @returns why not, or null */
  readonly join: (procsFile: string) => string | null;
}
