/**
 * The control groups of one box, whatever the kernel has: v2, v1 (one directory per controller), both (hybrid), or none.
 * The mechanism of each limit is chosen once, when the groups are made.
 */
import type { Task } from '../kernel/task.js';
import type { Texts } from '../kernel/texts.js';
import type { CgroupLimitName, CountedName } from '../options/table/limits.js';
import type { CgroupUsage } from './usage.js';

/** A value in the unit of the limit's row in the table; a CPU list is text. */
export type CgroupValue = number | 'unlimited' | string | readonly IoLimit[];

/** Limits of one block device. A missing limit stays as it is; 'unlimited' removes it. */
export interface IoLimit {
  /** `major:minor`. */
  readonly device: string;
  readonly rbps?: number | 'unlimited';
  readonly wbps?: number | 'unlimited';
  readonly riops?: number | 'unlimited';
  readonly wiops?: number | 'unlimited';
}

/** The kernel mechanism that enforces a limit. */
export type Mechanism = 'cgroup2' | 'cgroup1';

/** Steps that remove the groups, in order. The keeper runs them if the wrapper was killed. */
export type CleanupStep =
  | { readonly op: 'rmdir'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly text: string };

export interface BoxCgroup {
  /** v2 directory into which the job is forked (clone3(2), CLONE_INTO_CGROUP); null without a v2 group. */
  readonly forkInto: string | null;
  /** v1 `tasks` files. The job writes `0` to each of them before exec. */
  readonly tasks: readonly string[];
  /** The group whose freezer stops the box; null without a freezer. */
  readonly freezer: { readonly version: 1 | 2; readonly dir: string } | null;
  /** `cgroup.kill` (Linux 5.14); null if the kernel does not have it. */
  readonly killFile: string | null;
  readonly cleanup: readonly CleanupStep[];
  /** Every directory of the box, one per hierarchy. */
  readonly dirs: readonly string[];
  /** Returns the mechanism that enforces this limit, or why none does: evidence and remedy. */
  holds(name: CgroupLimitName): { readonly mechanism: Mechanism } | { readonly why: string };
  /** Returns the tightest limit of the groups around the box, in the limit's unit, and its path; 'unlimited' without one. */
  ceiling(name: CgroupLimitName): Task<{ readonly value: number | 'unlimited'; readonly path: string }>;
  /**
   * Sets a limit and returns the value in force afterwards. On a running box, makes a missing group first if that is possible.
   * @throws EnvironmentError with path, value and errno
   */
  set(name: CgroupLimitName, value: CgroupValue): Task<CgroupValue>;
  /** Reads the value in force from the limit's group; null if no group enforces it or the file cannot be read. */
  inForce(name: CgroupLimitName): Task<CgroupValue | null>;
  /** The files from which `usage` takes the figures; a group that `set_limit` makes adds to them. */
  usageFiles(): readonly string[];
  /** Returns the figures in the texts of `usageFiles`; null if no group counts any, or for a figure that could not be read. */
  usage(texts: Texts): CgroupUsage | null;
  /** A small file with the present usage of a limit, for memory with page cache. Null if no group counts it. */
  chargedFile(name: CountedName): string | null;
  /** Directory with the pressure files of the box; null without a v2 group. */
  readonly pressureDir: string | null;
  /** A `cgroup.procs` that lists the processes of the box; null without groups. */
  readonly procsFile: string | null;
}

/** The adoption of a running process. */
export interface Adoption {
  readonly pid: number;
  /** Moves the process and its descendants into the group of this `cgroup.procs`. @returns why that failed, or null */
  readonly join: (procsFile: string) => Task<string | null>;
}
