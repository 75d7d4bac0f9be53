import { type Reader, readFile } from '../kernel/files.js';

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
  /** Page cache without `shmemBytes`. */
  readonly fileBytes: number | null;
  /** tmpfs and shared memory. */
  readonly shmemBytes: number | null;
  /** Part of file and shmem that is mapped into processes. */
  readonly mappedBytes: number | null;
  readonly kernelBytes: number | null;
  /** The limit was hit and nothing could be reclaimed; null in v1, whose failcnt counts every hit. */
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
  return parseNumber(readFile(path));
}

export function parseNumber(text: string | null | undefined): number | null {
  return text == null || !/^\d+$/.test(text) ? null : Number(text);
}

/** A file of `key value` lines. */
export interface Table {
  /** Null where there is no such key. */
  get(key: string): number | null;
}

/** Looks keys up in the text: of memory.stat's sixty a sample needs five. */
export function parseTable(text: string | null | undefined): Table | null {
  if (text == null) return null;
  return {
    get(key) {
      const head = `${key} `;
      const at = text.startsWith(head) ? 0 : text.indexOf(`\n${head}`) + 1;
      if (at === 0 && !text.startsWith(head)) return null;
      const value = Number.parseInt(text.slice(at + head.length, at + head.length + 24), 10);
      return Number.isNaN(value) ? null : value;
    },
  };
}

/** `whole` without `part`: both are counted apart, so for a moment the part may be larger. */
export function without(whole: number | null, part: number | null): number | null {
  return whole === null ? null : Math.max(0, whole - (part ?? 0));
}

/** The pids controller has the same files in v1 and v2. */
export function pidsUsage(dir: string, read: Reader): PidsUsage | null {
  const [tasks, peak, events] = read(dir, 'pids.current', 'pids.peak', 'pids.events');
  const current = parseNumber(tasks);
  if (current === null) return null;
  return { current, peak: parseNumber(peak), refused: parseTable(events)?.get('max') ?? null };
}
