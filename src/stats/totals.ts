import type { KeeperUsage, TreeSample } from 'cgroup-utils-native';
import type { CgroupUsage, CpuUsage, DeviceUsage, MemoryUsage, PidsUsage } from '../cgroup/usage.js';

/** Running sums and peaks of one box. They never fall, even if a source stops counting. */
export interface Totals {
  readonly userUsec: number;
  readonly systemUsec: number;
  readonly guestUsec: number;
  readonly iowaitUsec: number;
  readonly readCount: number;
  readonly writeCount: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly stdoutBytes: number;
  readonly rssPeakBytes: number;
  readonly processRssPeakBytes: number;
  readonly processesPeak: number;
  readonly threadsPeak: number;
  /** What the control groups have counted so far. */
  readonly counted: Counted;
}

/** The figures of the control groups; null if no group counts them. */
export interface Counted {
  readonly memoryPeak: {
    readonly bytes: number;
    /** True for the kernel's own record, false for the highest sample. */
    readonly exact: boolean;
  } | null;
  readonly oom: { readonly events: number | null; readonly kills: number } | null;
  readonly throttling: {
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledUsec: number;
  } | null;
  readonly tasks: { readonly peak: number; readonly refused: number | null } | null;
  /** By `major:minor`. */
  readonly devices: ReadonlyMap<string, DeviceUsage> | null;
}

/** The figures of one moment. */
export interface Moment {
  /** Null if the processes were not walked now. Figures that only a walk yields then stay as they were. */
  readonly tree: TreeSample | null;
  readonly usage: KeeperUsage;
  readonly cgroup: CgroupUsage | null;
  /** CPU time as the group counts it; null unless it has counted from the start of the job. */
  readonly cpu: CpuUsage | null;
  readonly rssBytes: number;
  readonly processes: number;
}

/**
 * Adds up the figures of a box. Without a group, these are the live processes (including the children that they have reaped)
 * plus the processes that the keeper has reaped. Each figure keeps its maximum: an ending process is missing from both for a
 * moment, a child whose parent ignores SIGCHLD for good, and a counter that fell would read as a negative rate.
 *
 * @param begin the sums of another process that has sampled the box before
 */
export function totals(begin: Totals = ZERO): { add(moment: Moment): Totals; readonly sum: Totals } {
  let sum: Totals = begin;
  return {
    add(moment) {
      const { tree, usage, cgroup } = moment;
      const largest = Math.max(sum.processRssPeakBytes, usage.maxRssBytes, tree?.rows[0]?.rssBytes ?? 0);
      sum = {
        ...cpuTime(sum, moment),
        // Tree and usage count only together: a process that was reaped since the last walk is in both.
        ...(tree === null ? processCounters(sum) : added(sum, tree, usage)),
        stdoutBytes: Math.max(sum.stdoutBytes, usage.stdoutBytes),
        rssPeakBytes: Math.max(sum.rssPeakBytes, moment.rssBytes, largest),
        processRssPeakBytes: largest,
        processesPeak: Math.max(sum.processesPeak, moment.processes),
        threadsPeak: Math.max(sum.threadsPeak, tree?.threads ?? 0),
        counted: count(sum.counted, cgroup),
      };
      return sum;
    },
    get sum() {
      return sum;
    },
  };
}

type CpuTime = Pick<Totals, 'userUsec' | 'systemUsec'>;

function cpuTime(sum: CpuTime, { cpu, tree, usage }: Moment): CpuTime {
  if (cpu !== null) return splitTime(sum, cpu);
  if (tree === null) return { userUsec: sum.userUsec, systemUsec: sum.systemUsec };
  return {
    userUsec: Math.max(sum.userUsec, tree.userUsec + usage.userUsec),
    systemUsec: Math.max(sum.systemUsec, tree.systemUsec + usage.systemUsec),
  };
}

/**
 * Splits the CPU time into user and system time. The kernel knows the sum to the microsecond but samples the two parts, so
 * their ratio varies. As in the kernel's cputime_adjust(), neither part ever falls, and together they are the sum.
 */
export function splitTime(before: CpuTime, { usageUsec, userUsec, systemUsec }: CpuUsage): CpuTime {
  const sum = Math.max(usageUsec, before.userUsec + before.systemUsec);
  const parts = (userUsec ?? 0) + (systemUsec ?? 0);
  const system = parts > 0 ? Math.round((sum * (systemUsec ?? 0)) / parts) : before.systemUsec;
  const bounded = Math.min(Math.max(system, before.systemUsec), sum - before.userUsec);
  return { userUsec: sum - bounded, systemUsec: bounded };
}

type ProcessCounters = Pick<
  Totals,
  'guestUsec' | 'iowaitUsec' | 'readCount' | 'writeCount' | 'readBytes' | 'writeBytes'
>;

function processCounters({
  guestUsec,
  iowaitUsec,
  readCount,
  writeCount,
  readBytes,
  writeBytes,
}: Totals): ProcessCounters {
  return { guestUsec, iowaitUsec, readCount, writeCount, readBytes, writeBytes };
}

function added(sum: ProcessCounters, tree: TreeSample, usage: KeeperUsage): ProcessCounters {
  return {
    guestUsec: Math.max(sum.guestUsec, tree.guestUsec),
    iowaitUsec: Math.max(sum.iowaitUsec, tree.iowaitUsec),
    readCount: Math.max(sum.readCount, tree.readCount + usage.readCount),
    writeCount: Math.max(sum.writeCount, tree.writeCount + usage.writeCount),
    readBytes: Math.max(sum.readBytes, tree.readBytes + usage.readBytes),
    writeBytes: Math.max(sum.writeBytes, tree.writeBytes + usage.writeBytes),
  };
}

function count(before: Counted, cgroup: CgroupUsage | null): Counted {
  return {
    memoryPeak: memoryPeak(before.memoryPeak, cgroup?.memory ?? null),
    oom: oom(before.oom, cgroup?.memory ?? null),
    throttling: throttling(before.throttling, cgroup?.cpu ?? null),
    tasks: tasks(before.tasks, cgroup?.pids ?? null),
    devices: devices(before.devices, cgroup?.io ?? null),
  };
}

function memoryPeak(before: Counted['memoryPeak'], memory: MemoryUsage | null): Counted['memoryPeak'] {
  if (memory === null) return before;
  const bytes = Math.max(before?.bytes ?? 0, memory.currentBytes, memory.peakBytes ?? 0);
  return { bytes, exact: memory.peakBytes !== null };
}

function oom(before: Counted['oom'], memory: MemoryUsage | null): Counted['oom'] {
  if (memory === null || memory.oomKills === null) return before;
  return { events: highest(before?.events, memory.oomEvents), kills: Math.max(before?.kills ?? 0, memory.oomKills) };
}

function throttling(before: Counted['throttling'], cpu: CpuUsage | null): Counted['throttling'] {
  if (cpu === null || cpu.periods === null) return before;
  return {
    periods: Math.max(before?.periods ?? 0, cpu.periods),
    throttledPeriods: Math.max(before?.throttledPeriods ?? 0, cpu.throttledPeriods ?? 0),
    throttledUsec: Math.max(before?.throttledUsec ?? 0, cpu.throttledUsec ?? 0),
  };
}

function tasks(before: Counted['tasks'], pids: PidsUsage | null): Counted['tasks'] {
  if (pids === null) return before;
  return {
    peak: Math.max(before?.peak ?? 0, pids.current, pids.peak ?? 0),
    refused: highest(before?.refused, pids.refused),
  };
}

function devices(before: Counted['devices'], rows: readonly DeviceUsage[] | null): Counted['devices'] {
  if (rows === null) return before;
  const all = new Map(before ?? []);
  for (const row of rows) {
    const old = all.get(row.device);
    all.set(row.device, {
      device: row.device,
      readBytes: Math.max(old?.readBytes ?? 0, row.readBytes),
      writeBytes: Math.max(old?.writeBytes ?? 0, row.writeBytes),
      readCount: Math.max(old?.readCount ?? 0, row.readCount),
      writeCount: Math.max(old?.writeCount ?? 0, row.writeCount),
    });
  }
  return all;
}

function highest(before: number | null | undefined, now: number | null): number | null {
  return now === null ? (before ?? null) : Math.max(before ?? 0, now);
}

const NOTHING: Counted = { memoryPeak: null, oom: null, throttling: null, tasks: null, devices: null };

/** The peaks are 1: a box has had one process with one thread even if it ended before the first sample. */
const ZERO: Totals = {
  userUsec: 0,
  systemUsec: 0,
  guestUsec: 0,
  iowaitUsec: 0,
  readCount: 0,
  writeCount: 0,
  readBytes: 0,
  writeBytes: 0,
  stdoutBytes: 0,
  rssPeakBytes: 0,
  processRssPeakBytes: 0,
  processesPeak: 1,
  threadsPeak: 1,
  counted: NOTHING,
};
