import { readFile } from './files.js';

/** Figures of a box's control groups, in the units of the kernel's files; null is unknown. cgroup-v2.rst, cgroup-v1/*.rst. */
export interface CgroupUsage {
  readonly memory: MemoryUsage | null;
  readonly cpu: CpuUsage | null;
  readonly io: readonly DeviceUsage[] | null;
  readonly pids: PidsUsage | null;
}

export interface MemoryUsage {
  /** With page cache and kernel memory. */
  readonly currentBytes: number;
  /** Highest `currentBytes`; null before Linux 5.19 in v2. */
  readonly peakBytes: number | null;
  readonly swapBytes: number | null;
  readonly anonBytes: number | null;
  readonly fileBytes: number | null;
  readonly shmemBytes: number | null;
  readonly kernelBytes: number | null;
  /** The limit was hit and nothing could be reclaimed. */
  readonly oomEvents: number | null;
  /** Processes that the kernel's OOM killer has killed. */
  readonly oomKills: number | null;
}

export interface CpuUsage {
  readonly usageUsec: number;
  readonly userUsec: number | null;
  readonly systemUsec: number | null;
  /** Enforcement periods that have passed, those in which the group ran out of its quota, and the time it waited. */
  readonly periods: number | null;
  readonly throttledPeriods: number | null;
  readonly throttledUsec: number | null;
}

export interface DeviceUsage {
  /** `major:minor`. */
  readonly device: string;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly readCount: number;
  readonly writeCount: number;
}

export interface PidsUsage {
  /** Processes and threads. */
  readonly current: number;
  readonly peak: number | null;
  /** Forks that the limit has refused. */
  readonly refused: number | null;
}

/** A file of one number; `max` and what cannot be read are null. */
export function readNumber(path: string): number | null {
  const text = readFile(path);
  return text === null || !/^\d+$/.test(text) ? null : Number(text);
}

/** A file of `key value` lines; null where it cannot be read. */
export function readTable(path: string): ReadonlyMap<string, number> | null {
  const text = readFile(path);
  if (text === null) return null;
  const table = new Map<string, number>();
  for (const line of text.split('\n')) {
    const blank = line.indexOf(' ');
    if (blank > 0) table.set(line.slice(0, blank), Number(line.slice(blank + 1)));
  }
  return table;
}
