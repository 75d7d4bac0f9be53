import type { StdoutMode } from 'cgroup-utils-native';
import type { HostFacts } from '../kernel/host.js';
import type { ScopedPressure } from '../kernel/pressure.js';
import type { LimitUnit } from '../options/amounts.js';
import type { JobIdentity, Source } from '../options/spec.js';
import type { BoxState } from './types.js';

/**
 * The statistics message, schema version 1: docs/messages.md and docs/schema/sample.json describe the same keys.
 *
 * The first block is what the old proc_box published: names, types and units are kept for its consumers.
 * Its style (CamelCase on top, snake_case below) holds for the new keys beside them too.
 */
export const SAMPLE_VERSION = 1;

/** The AMQP message type of a sample. */
export const SAMPLE_TYPE = 'proc_box.stats';

/** Why a sample was taken: at the job's start, by the clock, on a command, on a signal, before a stop, at a limit, at the end. */
export type SampleCause = 'start' | 'interval' | 'request' | 'signal' | 'stop' | 'limit' | 'final';

export interface Sample {
  // What the old proc_box published.
  readonly Host: HostInfo;
  readonly Memory: MemoryInfo;
  readonly CPUTimes: CpuTimes;
  readonly IOCounters: IoCounters;
  /** Descriptors of the main process, at most 256, /proc/PID/fd; null where none is known (always null in the old one). */
  readonly OpenFiles: readonly OpenFile[] | null;
  /** Threads of every live process, proc_pid_stat(5) num_threads. */
  readonly NumThreads: number;
  /** The main process of the job; it may have ended already. */
  readonly Pid: number;
  /** Every other live process of the box, parents before children; null where there is none. */
  readonly ChildPids: readonly number[] | null;
  /** CPU time of the whole tree since the previous sample (the first: since the start), 100 is one core kept busy. */
  readonly CPUPercent: number;
  /** RFC 3339, UTC. */
  readonly TimeUTC: string;
  /** Seconds since the epoch, whole. */
  readonly TimeUnix: number;
  /** Bytes that the job has written to stdout; see StdoutMode for what is counted. */
  readonly StdoutBytes: number;
  /** The JSON given with `-json`; null without. */
  readonly UserData: unknown;

  // New.
  /** Version of this schema; a key that changes its meaning raises it, a new key does not. */
  readonly Version: number;
  readonly Identity: JobIdentity;
  /** Position in the box's one sequence of samples and events, from 1; the message id is `<box>-<Sequence>`. */
  readonly Sequence: number;
  readonly Cause: SampleCause;
  readonly State: BoxState;
  readonly Timer: TimerStatus;
  /** Every limit in force by its name. */
  readonly Limits: LimitTable;
  /** By name of the limit the highest threshold of `--near`, in percent, that was reached under its present value. */
  readonly LimitsNear: Readonly<Record<string, number>>;
  readonly MemoryDetail: MemoryDetail;
  /** What counts against `--memory`; null where no cgroup counts it. */
  readonly MemoryCgroup: MemoryCgroup | null;
  readonly MemoryPeak: MemoryPeak;
  readonly Counts: Counts;
  /** Null where no cgroup counts it. */
  readonly OOM: OomCounts | null;
  /** Null where no cgroup counts it. */
  readonly Throttling: Throttling | null;
  /** I/O of each block device, since the box began; null where no cgroup counts it. */
  readonly Devices: readonly DeviceIo[] | null;
  /** Pressure stall information; null where the kernel has none (CONFIG_PSI, psi=1). */
  readonly Pressure: Pressure | null;
  /** The largest live processes by resident memory (`--rows`), largest first. */
  readonly Processes: readonly ProcessInfo[];
  /**
   * How old, ms, is what takes a walk over the processes: Processes, OpenFiles, NumThreads, IOCounters, Memory.vms,
   * CPUTimes.iowait and guest, MemoryDetail.pss. 0 where they were walked for this sample.
   */
  readonly ProcessesAgeMs: number;
  /** How StdoutBytes is counted: `file` (shared offset), `pipe` (spliced); `terminal` and `other` are not counted. */
  readonly StdoutMode: StdoutMode;
  /** Samples and events of this box that had to be given up so far: outbox full or message timeout. */
  readonly Dropped: number;
}

/** Facts of the host, and of this moment. */
export interface HostInfo extends HostFacts {
  /** Seconds since boot, sysinfo(2). */
  readonly uptime: number;
  /** Processes on the host, counted in /proc (0 in the old one). */
  readonly procs: number;
}

/** Bytes, of the live processes of the box at this moment. */
export interface MemoryInfo {
  /**
   * Resident. Where a cgroup has counted from the start: anonymous memory and mapped page cache, each page once, and
   * never below the largest process nor above the sum where the processes were walked for this sample. Else the sum,
   * proc_pid_stat(5), in which shared pages count once in each process.
   */
  readonly rss: number;
  /** Virtual, proc_pid_statm(5). */
  readonly vms: number;
  /** As the cgroup counts it, else proc_pid_status(5) VmSwap. */
  readonly swap: number;
}

/** Seconds, of the whole tree, ended processes included; never goes back. */
export interface CpuTimes {
  /** Always empty, as in the old one. */
  readonly cpu: '';
  /** cpu.stat or cpuacct; else proc_pid_stat(5) utime and cutime of live processes, getrusage(2) of reaped ones. */
  readonly user: number;
  readonly system: number;
  readonly idle: 0;
  readonly nice: 0;
  /** Waiting for block I/O, proc_pid_stat(5) delayacct_blkio_ticks, live processes; 0 where delay accounting is off. */
  readonly iowait: number;
  readonly irq: 0;
  readonly softirq: 0;
  readonly steal: 0;
  /** Running a virtual CPU, proc_pid_stat(5) guest_time; part of `user`. */
  readonly guest: number;
  readonly guest_nice: 0;
  readonly stolen: 0;
}

/** Of the whole tree, ended processes included, proc_pid_io(5); never goes back. */
export interface IoCounters {
  /** read(2) and the like: syscr. */
  readonly read_count: number;
  /** write(2) and the like: syscw. */
  readonly write_count: number;
  /** Bytes that came from storage: read_bytes. */
  readonly read_bytes: number;
  /** Bytes that went to storage: write_bytes. */
  readonly write_bytes: number;
}

export interface OpenFile {
  readonly path: string;
  readonly fd: number;
}

/** The wall clock timer. Milliseconds, monotonic clock, suspension taken out. */
export interface TimerStatus {
  readonly running: boolean;
  readonly elapsed_ms: number;
  /** Null where there is no limit. */
  readonly remaining_ms: number | null;
  /** Null where there is no limit. */
  readonly limit_ms: number | null;
}

/** What holds a limit. `splice` and `offset` are the two ways of stdout; `none` is asked for but held by nothing. */
export type Enforcement = 'timer' | 'splice' | 'offset' | 'rlimit' | 'cgroup2' | 'cgroup1' | 'watchdog' | 'none';

/** One limit in force. */
export interface LimitStatus {
  /** The soft limit where there are two; a text where the unit is `list`. */
  readonly value: number | string | 'unlimited';
  /** The hard limit of an rlimit. */
  readonly hard?: number | 'unlimited';
  readonly unit: LimitUnit;
  readonly enforcement: Enforcement;
  /** Where the value came from; `command` is `set_limit`. */
  readonly source?: Source | 'command';
}

/** By name: `timeout`, `stdoutlimit`, `memory`, ..., and the rlimits as prlimit(1) calls them. */
export type LimitTable = Readonly<Record<string, LimitStatus>>;

/** Memory by kind, bytes; null where the kernel does not tell or it was not asked for. */
export interface MemoryDetail {
  /** What was measured: the sum over processes, or the box's cgroup. */
  readonly source: 'processes' | 'cgroup';
  /** memory.stat; proc_pid_status(5) RssAnon. */
  readonly anon: number | null;
  /** The page cache, mapped or not, without `shmem`; of processes RssFile: what they have mapped of it. */
  readonly file: number | null;
  /** tmpfs and shared memory, mapped or not; of processes RssShmem. */
  readonly shmem: number | null;
  /** Slab, stacks, page tables, ...; null for processes. */
  readonly kernel: number | null;
  /** Proportional set size, smaps_rollup, where `--pss` asks for it: shared pages count once. */
  readonly pss: number | null;
}

/** Bytes, as the limit of the cgroup counts them. */
export interface MemoryCgroup {
  /** With page cache and kernel memory: v2 memory.current, v1 memory.usage_in_bytes. Of now, also after the end. */
  readonly current: number;
  /** v2 memory.swap.current, v1 memory.stat swap; null where swap is not counted. */
  readonly swap: number | null;
}

/** Bytes, highest so far. */
export interface MemoryPeak {
  /** Of `Memory.rss` as sampled, and at least `process_rss`: a spike between samples may be missing. */
  readonly rss: number;
  /** Of one process: exact for ended ones (getrusage(2) ru_maxrss), as sampled for live ones. */
  readonly process_rss: number;
  /** Of `MemoryCgroup.current`; null where no cgroup counts it. */
  readonly cgroup: number | null;
  /** `cgroup` is the kernel's own mark (v1; v2 from Linux 5.19), not the highest sampled. */
  readonly exact: boolean;
}

export interface Counts {
  /** Live processes of the box. */
  readonly processes: number;
  /** Highest `processes` sampled so far. */
  readonly processes_peak: number;
  /** Highest `NumThreads` sampled so far. */
  readonly threads_peak: number;
  /** Processes and threads now, as `--pids` counts them; null where no cgroup does. */
  readonly tasks: number | null;
  /** Highest `tasks`: pids.peak (Linux 6.1), else as sampled. */
  readonly tasks_peak: number | null;
  /** Forks that the limit has refused, pids.events. */
  readonly forks_refused: number | null;
}

/** Since the box began: v2 memory.events, v1 memory.oom_control. */
export interface OomCounts {
  /** The limit was hit and reclaim failed; null in v1. */
  readonly events: number | null;
  /** Processes killed by the kernel's OOM killer. */
  readonly kills: number;
}

/** cgroup-v2.rst cpu.stat, since the box began. */
export interface Throttling {
  readonly periods: number;
  readonly throttled_periods: number;
  readonly throttled_ms: number;
}

/** I/O of one block device, v2 io.stat, v1 blkio.throttle.io_service_bytes and io_serviced. */
export interface DeviceIo {
  /** `major:minor`. */
  readonly device: string;
  readonly read_count: number;
  readonly write_count: number;
  readonly read_bytes: number;
  readonly write_bytes: number;
}

/** Pressure of the box's cgroup, or of the whole host where it has none. */
export type Pressure = ScopedPressure;

/** One live process; bytes and seconds, proc_pid_stat(5). */
export interface ProcessInfo {
  readonly pid: number;
  readonly ppid: number;
  /** The kernel's name of it, at most 15 bytes. */
  readonly name: string;
  /** One letter: R, S, D, T, Z, ... */
  readonly state: string;
  readonly threads: number;
  readonly rss: number;
  readonly vms: number;
  readonly user: number;
  readonly system: number;
}
