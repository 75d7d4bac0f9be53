import type { LimitUnit } from '../amounts.js';
import type { Option } from './option.js';

/**
 * A row of the table of limits: the option, and everything else about the limit. `set_limit`, `status`, the enforcement, the
 * control groups of both versions and `proc_box check` read it.
 */
export interface LimitRow<V = unknown> extends Option<V> {
  /** The unit of its values in messages. amounts.ts formats them for people. */
  readonly unit: LimitUnit;
  /** The value 0 removes the limit. */
  readonly zeroIsNone?: true;
  /** Parses the value of `set_limit`. @default like the option */
  readonly change?: (text: string) => V;
  /** How a control group enforces it for the box as a whole. */
  readonly cgroup?: CgroupRow;
  /** What enforces it if no control group does. @default nothing */
  readonly otherwise?: 'timer' | 'stdout' | 'watchdog';
}

export interface CgroupRow {
  readonly v2: readonly [controller: 'memory' | 'cpu' | 'cpuset' | 'pids' | 'io', file: string];
  /** The file is null if v1 has no such limit. */
  readonly v1: readonly [controller: 'memory' | 'cpu' | 'cpuset' | 'pids' | 'blkio', file: string | null];
  /** The files with the present usage, for --near. */
  readonly used?: { readonly v2: string; readonly v1: string };
  /** The limit must not exceed that of the groups around the box. */
  readonly ceiling?: true;
  /** The value that `proc_box check` tries: something harmless that every host can provide. */
  readonly trial: number | 'allowed CPUs' | 'root device';
  /** The kernel argument that enables it if its files are missing. */
  readonly argument?: string;
}

/** Parses the value of `set_limit` into the limit's unit. @throws SpecError */
export function changeOf<V>({ change, parse, zeroIsNone }: LimitRow<V>, text: string): V | 'unlimited' {
  const value = (change ?? parse)(text);
  return zeroIsNone === true && value === 0 ? 'unlimited' : value;
}
