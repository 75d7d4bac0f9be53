import type { LimitUnit } from '../amounts.js';
import type { Option } from './option.js';

/**
 * A row of the table of limits: the option, and all that is known of the limit. `set_limit`, `status`, the enforcement
 * ladder, the control groups of both versions and `proc_box check` read it.
 */
export interface LimitRow<V = unknown> extends Option<V> {
  /** Of its values in messages; amounts.ts shows them to people. */
  readonly unit: LimitUnit;
  /** The value 0 takes the limit away. */
  readonly zeroIsNone?: true;
  /** What `set_limit` takes. @default what the option takes */
  readonly change?: (text: string) => V;
  /** The control group that holds it for the box as a whole. */
  readonly cgroup?: CgroupRow;
  /** What holds it where no control group does. @default nothing */
  readonly otherwise?: 'timer' | 'stdout' | 'watchdog';
}

export interface CgroupRow {
  readonly v2: readonly [controller: 'memory' | 'cpu' | 'cpuset' | 'pids' | 'io', file: string];
  /** The file is null where v1 has no such limit. */
  readonly v1: readonly [controller: 'memory' | 'cpu' | 'cpuset' | 'pids' | 'blkio', file: string | null];
  /** Files that say how much is used, for --near. */
  readonly used?: { readonly v2: string; readonly v1: string };
  /** Groups around the box have limits of this kind, which the box's own may not pass. */
  readonly ceiling?: true;
  /** What `proc_box check` sets: something harmless that every host can have. */
  readonly trial: number | 'allowed CPUs' | 'root device';
  /** The kernel argument that brings it where its files are missing. */
  readonly argument?: string;
}

/** The value that a text of `set_limit` asks for, in the limit's unit. @throws SpecError */
export function changeOf<V>({ change, parse, zeroIsNone }: LimitRow<V>, text: string): V | 'unlimited' {
  const value = (change ?? parse)(text);
  return zeroIsNone === true && value === 0 ? 'unlimited' : value;
}
