import type { StdoutMode } from 'cgroup-utils-native';
import type { HostFacts } from '../kernel/host.js';
import type { ScopedPressure } from '../kernel/pressure.js';
import type { LimitUnit } from '../options/amounts.js';
import type { JobIdentity, Source } from '../options/spec.js';
import type { BoxState } from './types.js';

/**
 * The version of the statistics message. docs/messages.md and docs/schema/sample.json describe the same keys.
 *
 * The old proc_box published the first block. Its names, types and units stay the same for its consumers. The new keys follow
 * its style: CamelCase at the top, snake_case below.
 */
export const SAMPLE_VERSION = 1;

/** The AMQP message type of a sample. */
export const SAMPLE_TYPE = 'proc_box.stats';

/** Why a sample was taken: job start, interval, command, signal, imminent stop, limit reached, or end. */
export type SampleCause = 'start' | 'interval' | 'request' | 'signal' | 'stop' | 'limit' | 'final';

export interface Sample {
  // What the old proc_box published.
  readonly Host: HostInfo;
  readonly Memory: MemoryInfo;
  readonly CPUTimes: CpuTimes;
  readonly IOCounters: IoCounters;
  /** Open files of the main process (/proc/PID/fd), at most 256; null if unknown. Always null in the old proc_box. */
  readonly OpenFiles: readonly OpenFile[] | null;
  /** Threads of all live processes; proc_pid_stat(5) num_threads. */
  readonly NumThreads: number;
  /** The main process of the job, which may have already ended. */
  readonly Pid: number;
  /** Every other live process of the box, parents before children; null if there are no others. */
  readonly ChildPids: readonly number[] | null;
  /** CPU use of the whole tree since the previous sample (or the start); 100 is one core kept busy. */
  readonly CPUPercent: number;
  /** RFC 3339, UTC. */
  readonly TimeUTC: string;
  /** Whole seconds since the epoch. */
  readonly TimeUnix: number;
  /** Bytes that the job has written to stdout. StdoutMode says how they are counted. */
  readonly StdoutBytes: number;
  /** The JSON object of `--json`; null without it. */
  readonly UserData: unknown;

  // New.
  /** Version of this schema. It rises if a key changes its meaning, but not if a key is added. */
  readonly Version: number;
  readonly Identity: JobIdentity;
  /** Position in the sequence that the box's samples and events share, from 1. The message id is `<box>-<Sequence>`. */
  readonly Sequence: number;
  readonly Cause: SampleCause;
  readonly State: BoxState;
  readonly Timer: TimerStatus;
  /** Every limit in force, by name. */
  readonly Limits: LimitTable;
  /** For each limit the highest `--near` threshold, in percent, that was reached under its present value. */
  readonly LimitsNear: Readonly<Record<string, number>>;
  readonly MemoryDetail: MemoryDetail;
  /** What counts against `--memory`; null if no cgroup counts it. */
  readonly MemoryCgroup: MemoryCgroup | null;
  readonly MemoryPeak: MemoryPeak;
  readonly Counts: Counts;
  /** Null if no cgroup counts OOM kills. */
  readonly OOM: OomCounts | null;
  /** Null if no cgroup counts throttling. */
  readonly Throttling: Throttling | null;
  /** I/O per block device since the start of the box; null if no cgroup counts it. */
  readonly Devices: readonly DeviceIo[] | null;
  /** Pressure stall information; null if the kernel does not provide it (CONFIG_PSI, psi=1). */
  readonly Pressure: Pressure | null;
  /** The largest live processes by resident memory (`--rows`), largest first. */
  readonly Processes: readonly ProcessInfo[];
  /**
   * Age in ms of the figures that come from a walk over the processes: Processes, OpenFiles, NumThreads, IOCounters,
   * Memory.vms, CPUTimes.iowait and guest, MemoryDetail.pss. 0 if this sample walked over them.
   */
  readonly ProcessesAgeMs: number;
  /** How StdoutBytes is counted: `file` by the shared offset, `pipe` by splice(2); `terminal` and `other` not at all. */
  readonly StdoutMode: StdoutMode;
  /** Samples and events that this box had to give up so far because its outbox was full or they timed out. */
  readonly Dropped: number;
}

/** Constant facts about the host, and its present state. */
export interface HostInfo extends HostFacts {
  /** Seconds since boot; sysinfo(2). */
  readonly uptime: number;
  /** Processes on the host, counted in /proc. Always 0 in the old proc_box. */
  readonly procs: number;
}

/** Memory of the box's live processes at this moment, in bytes. */
export interface MemoryInfo {
  /**
   * Resident memory. If a cgroup has counted from the start: anonymous memory and mapped page cache, each page once. If this
   * sample walked over the processes, it is at least the largest process and at most the sum of all. Without a cgroup it is
   * that sum (proc_pid_stat(5)), in which shared pages count once per process.
   */
  readonly rss: number;
  /** Virtual memory; proc_pid_statm(5). */
  readonly vms: number;
  /** As the cgroup counts it, otherwise proc_pid_status(5) VmSwap. */
  readonly swap: number;
}

/** CPU time of the whole tree in seconds, including ended processes. Never falls. */
export interface CpuTimes {
  /** Always empty, as in the old proc_box. */
  readonly cpu: '';
  /** cpu.stat or cpuacct; otherwise proc_pid_stat(5) utime and cutime of live processes, getrusage(2) of reaped ones. */
  readonly user: number;
  readonly system: number;
  readonly idle: 0;
  readonly nice: 0;
  /** Waits of live processes for block I/O; proc_pid_stat(5) delayacct_blkio_ticks. 0 if delay accounting is off. */
  readonly iowait: number;
  readonly irq: 0;
  readonly softirq: 0;
  readonly steal: 0;
  /** Time spent running a virtual CPU, part of `user`; proc_pid_stat(5) guest_time. */
  readonly guest: number;
  readonly guest_nice: 0;
  readonly stolen: 0;
}

/** I/O of the whole tree, including ended processes (proc_pid_io(5)). Never falls. */
export interface IoCounters {
  /** Calls of read(2) and the like: syscr. */
  readonly read_count: number;
  /** Calls of write(2) and the like: syscw. */
  readonly write_count: number;
  /** Bytes read from storage: read_bytes. */
  readonly read_bytes: number;
  /** Bytes written to storage: write_bytes. */
  readonly write_bytes: number;
}

export interface OpenFile {
  readonly path: string;
  readonly fd: number;
}

/** The wall clock timer, in ms of the monotonic clock without suspension. */
export interface TimerStatus {
  readonly running: boolean;
  readonly elapsed_ms: number;
  /** Null if there is no limit. */
  readonly remaining_ms: number | null;
  /** Null if there is no limit. */
  readonly limit_ms: number | null;
}

/** What enforces a limit. `splice` and `offset` are for stdout. `none`: the limit was asked for, but nothing enforces it. */
export type Enforcement = 'timer' | 'splice' | 'offset' | 'rlimit' | 'cgroup2' | 'cgroup1' | 'watchdog' | 'none';

/** One limit in force. */
export interface LimitStatus {
  /** The soft limit if there are two; text if the unit is `list`. */
  readonly value: number | string | 'unlimited';
  /** The hard limit of an rlimit. */
  readonly hard?: number | 'unlimited';
  readonly unit: LimitUnit;
  readonly enforcement: Enforcement;
  /** Where the value came from; `command` means `set_limit`. */
  readonly source?: Source | 'command';
}

/** Limits by name: `timeout`, `stdoutlimit`, `memory`, ..., and rlimits by the names of prlimit(1). */
export type LimitTable = Readonly<Record<string, LimitStatus>>;

/** Memory by kind, in bytes; null if the kernel does not report it or it was not asked for. */
export interface MemoryDetail {
  /** What was measured: the sum over processes, or the box's cgroup. */
  readonly source: 'processes' | 'cgroup';
  /** memory.stat; proc_pid_status(5) RssAnon. */
  readonly anon: number | null;
  /** Page cache, mapped or not, without `shmem`; for processes RssFile, the part that they have mapped. */
  readonly file: number | null;
  /** tmpfs and shared memory, mapped or not; for processes RssShmem. */
  readonly shmem: number | null;
  /** Slab, stacks, page tables, ...; null for processes. */
  readonly kernel: number | null;
  /** Proportional set size (smaps_rollup), in which shared pages count once; only with `--pss`. */
  readonly pss: number | null;
}

/** Memory as the cgroup's limit counts it, in bytes. */
export interface MemoryCgroup {
  /** At present, even after the end; includes page cache and kernel memory. v2 memory.current, v1 memory.usage_in_bytes. */
  readonly current: number;
  /** v2 memory.swap.current, v1 memory.stat swap; null if swap is not counted. */
  readonly swap: number | null;
}

/** Peaks so far, in bytes. */
export interface MemoryPeak {
  /** Peak of the sampled `Memory.rss`, and at least `process_rss`. A spike between two samples may be missing. */
  readonly rss: number;
  /** Peak of a single process: exact for ended ones (getrusage(2) ru_maxrss), as sampled for live ones. */
  readonly process_rss: number;
  /** Peak of `MemoryCgroup.current`; null if no cgroup counts it. */
  readonly cgroup: number | null;
  /** True if `cgroup` is the kernel's own record (v1; v2 since Linux 5.19), false if it is the highest sample. */
  readonly exact: boolean;
}

export interface Counts {
  /** Live processes of the box. */
  readonly processes: number;
  /** Highest `processes` sampled so far. */
  readonly processes_peak: number;
  /** Highest `NumThreads` sampled so far. */
  readonly threads_peak: number;
  /** Processes and threads now, as `--pids` counts them; null if no cgroup counts them. */
  readonly tasks: number | null;
  /** Highest `tasks`: pids.peak (Linux 6.1), otherwise as sampled. */
  readonly tasks_peak: number | null;
  /** Forks refused because of the limit; pids.events. */
  readonly forks_refused: number | null;
}

/** Counted since the start of the box: v2 memory.events, v1 memory.oom_control. */
export interface OomCounts {
  /** How often the limit was hit and reclaim failed; null in v1. */
  readonly events: number | null;
  /** Processes killed by the OOM killer. */
  readonly kills: number;
}

/** Counted since the start of the box; cpu.stat in cgroup-v2.rst. */
export interface Throttling {
  readonly periods: number;
  readonly throttled_periods: number;
  readonly throttled_ms: number;
}

/** I/O of one block device; v2 io.stat, v1 blkio.throttle.io_service_bytes and io_serviced. */
export interface DeviceIo {
  /** `major:minor`. */
  readonly device: string;
  readonly read_count: number;
  readonly write_count: number;
  readonly read_bytes: number;
  readonly write_bytes: number;
}

/** Pressure of the box's cgroup, or of the whole host if the cgroup does not provide it. */
export type Pressure = ScopedPressure;

/** A live process; bytes and seconds, from proc_pid_stat(5). */
export interface ProcessInfo {
  readonly pid: number;
  readonly ppid: number;
  /** The kernel's name of the process, at most 15 bytes. */
  readonly name: string;
  /** One letter: R, S, D, T, Z, ... */
  readonly state: string;
  readonly threads: number;
  readonly rss: number;
  readonly vms: number;
  readonly user: number;
  readonly system: number;
}
