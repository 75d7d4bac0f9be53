import type { HostSample, ProcessRow, StdoutMode } from 'cgroup-utils-native';
import type { HostFacts } from '../kernel/host.js';
import {
  type CpuTimes,
  type DeviceIo,
  type HostInfo,
  type LimitTable,
  type MemoryDetail,
  type Pressure,
  type ProcessInfo,
  SAMPLE_VERSION,
  type Sample,
  type SampleCause,
  type Throttling,
  type TimerStatus,
} from '../model/sample.js';
import type { BoxState } from '../model/types.js';
import type { JobIdentity } from '../options/spec.js';
import type { Measured } from './measure.js';
import type { Counted, Totals } from './totals.js';

/** Facts that only the box knows, read for each sample. */
export interface BoxStatus {
  readonly state: BoxState;
  readonly timer: TimerStatus;
  readonly limits: LimitTable;
  /** The sample's `LimitsNear`. */
  readonly near: Sample['LimitsNear'];
  /** Number of messages given up so far. */
  readonly dropped: number;
}

/** Facts that are the same for all samples of a box. */
export interface BoxFacts {
  readonly identity: JobIdentity;
  /** The main process of the job. */
  readonly pid: number;
  readonly stdoutMode: StdoutMode;
  readonly userData: unknown;
  /** Number of the largest processes to list. */
  readonly rows: number;
}

/** Everything that goes into one sample. */
export interface Reading {
  readonly box: BoxFacts;
  readonly cause: SampleCause;
  readonly sequence: number;
  /** Realtime clock, ms since the epoch. */
  readonly nowMs: number;
  readonly measured: Measured;
  readonly totals: Totals;
  /** CPU use of the tree since the previous sample; 100 is one core kept busy. */
  readonly percent: number;
  readonly facts: HostFacts;
  readonly host: HostSample;
  readonly status: BoxStatus;
  readonly pressure: Pressure | null;
}

/** Converts the figures to the names and units of the message. */
export function assemble(reading: Reading): Sample {
  const { box, measured, totals: sum, status } = reading;
  const { tree, cgroup } = measured;
  const { counted } = sum;
  const main = measured.pids.indexOf(box.pid);
  const others = main < 0 ? measured.pids : measured.pids.toSpliced(main, 1);
  return {
    Host: hostInfo(reading.facts, reading.host),
    Memory: { rss: measured.rssBytes, vms: tree.vmsBytes, swap: measured.swapBytes },
    CPUTimes: cpuTimes(sum),
    IOCounters: {
      read_count: sum.readCount,
      write_count: sum.writeCount,
      read_bytes: sum.readBytes,
      write_bytes: sum.writeBytes,
    },
    OpenFiles: tree.openFiles.length === 0 ? null : tree.openFiles,
    NumThreads: tree.threads,
    Pid: box.pid,
    ChildPids: others.length === 0 ? null : others,
    CPUPercent: reading.percent,
    TimeUTC: new Date(reading.nowMs).toISOString(),
    TimeUnix: Math.floor(reading.nowMs / 1000),
    StdoutBytes: sum.stdoutBytes,
    UserData: box.userData ?? null,
    Version: SAMPLE_VERSION,
    Identity: box.identity,
    Sequence: reading.sequence,
    Cause: reading.cause,
    State: status.state,
    Timer: status.timer,
    Limits: status.limits,
    LimitsNear: status.near,
    MemoryDetail: memoryDetail(measured),
    MemoryCgroup:
      cgroup?.memory == null ? null : { current: cgroup.memory.currentBytes, swap: cgroup.memory.swapBytes },
    MemoryPeak: {
      rss: sum.rssPeakBytes,
      process_rss: sum.processRssPeakBytes,
      cgroup: counted.memoryPeak?.bytes ?? null,
      exact: counted.memoryPeak?.exact ?? false,
    },
    Counts: {
      processes: measured.pids.length,
      processes_peak: sum.processesPeak,
      threads_peak: sum.threadsPeak,
      tasks: cgroup?.pids?.current ?? null,
      tasks_peak: counted.tasks?.peak ?? null,
      forks_refused: counted.tasks?.refused ?? null,
    },
    OOM: counted.oom,
    Throttling: throttling(counted),
    Devices: devices(counted),
    Pressure: reading.pressure,
    Processes: tree.rows.slice(0, box.rows).map(processInfo),
    ProcessesAgeMs: Math.round(measured.ageMs),
    StdoutMode: box.stdoutMode,
    Dropped: status.dropped,
  };
}

/** Converts a row of the native sampler to the form of messages. */
export function processInfo(row: ProcessRow): ProcessInfo {
  return {
    pid: row.pid,
    ppid: row.ppid,
    name: row.comm,
    state: row.state,
    threads: row.threads,
    rss: row.rssBytes,
    vms: row.vmsBytes,
    user: seconds(row.userUsec),
    system: seconds(row.systemUsec),
  };
}

function memoryDetail({ memory, tree }: Measured): MemoryDetail {
  const pss = known(tree.pssBytes);
  if (memory !== null) {
    const { anonBytes: anon, fileBytes: file, shmemBytes: shmem, kernelBytes: kernel } = memory;
    return { source: 'cgroup', anon, file, shmem, kernel, pss };
  }
  const [anon, file, shmem] = [known(tree.anonBytes), known(tree.fileBytes), known(tree.shmemBytes)];
  return { source: 'processes', anon, file, shmem, kernel: null, pss };
}

function throttling({ throttling: cpu }: Counted): Throttling | null {
  if (cpu === null) return null;
  return { periods: cpu.periods, throttled_periods: cpu.throttledPeriods, throttled_ms: cpu.throttledUsec / 1000 };
}

function devices({ devices: all }: Counted): DeviceIo[] | null {
  if (all === null) return null;
  return [...all.values()].map(({ device, readBytes, writeBytes, readCount, writeCount }) => ({
    device,
    read_count: readCount,
    write_count: writeCount,
    read_bytes: readBytes,
    write_bytes: writeBytes,
  }));
}

/** Keeps the order of keys of the old proc_box. */
function hostInfo(facts: HostFacts, now: HostSample): HostInfo {
  const { hostname, boot_time, ...rest } = facts;
  return { hostname, uptime: now.uptimeSec, boot_time, procs: now.processes, ...rest };
}

function cpuTimes(sum: Totals): CpuTimes {
  return {
    cpu: '',
    user: seconds(sum.userUsec),
    system: seconds(sum.systemUsec),
    idle: 0,
    nice: 0,
    iowait: seconds(sum.iowaitUsec),
    irq: 0,
    softirq: 0,
    steal: 0,
    guest: seconds(sum.guestUsec),
    guest_nice: 0,
    stolen: 0,
  };
}

function seconds(usec: number): number {
  return usec / 1_000_000;
}

/** The native side uses -1 for figures that it did not read. */
function known(bytes: number): number | null {
  return bytes < 0 ? null : bytes;
}
