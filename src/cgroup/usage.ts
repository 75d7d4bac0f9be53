import type { Reader } from '../kernel/texts.js';

/** Figures of a box's control groups in the units of the kernel's files (cgroup-v2.rst, cgroup-v1/*.rst); null if unknown. */
export interface CgroupUsage {
  readonly memory: MemoryUsage | null;
  readonly cpu: CpuUsage | null;
  readonly io: readonly DeviceUsage[] | null;
  readonly pids: PidsUsage | null;
}

export interface MemoryUsage {
  /** Includes page cache and kernel memory. */
  readonly currentBytes: number;
  /** Highest `currentBytes`; null before Linux 5.19 in v2. */
  readonly peakBytes: number | null;
  readonly swapBytes: number | null;
  readonly anonBytes: number | null;
  /** Page cache, without `shmemBytes`. */
  readonly fileBytes: number | null;
  /** tmpfs and shared memory. */
  readonly shmemBytes: number | null;
  /** The part of file and shmem that is mapped into processes. */
  readonly mappedBytes: number | null;
  readonly kernelBytes: number | null;
  /** How often the limit was hit and nothing could be reclaimed; null in v1, whose failcnt counts every hit. */
  readonly oomEvents: number | null;
  /** Processes killed by the OOM killer. */
  readonly oomKills: number | null;
}

export interface CpuUsage {
  readonly usageUsec: number;
  readonly userUsec: number | null;
  readonly systemUsec: number | null;
  /** Elapsed enforcement periods, those in which the group used up its quota, and the time that it then had to wait. */
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
  /** Forks refused because of the limit. */
  readonly refused: number | null;
}

/** Parses a file with a single number; null for `max`, or if there is no text. */
export function parseNumber(text: string | null | undefined): number | null {
  return text == null || !/^\d+$/.test(text) ? null : Number(text);
}

/** A parsed file of `key value` lines. */
export interface Table {
  /** Null if the file has no such key. */
  get(key: string): number | null;
}

/** Looks up keys in the text only on demand, because a sample needs five of the sixty in memory.stat. */
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

/** Returns `whole` minus `part`, at least 0: the kernel counts them separately, so the part may be larger for a moment. */
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
