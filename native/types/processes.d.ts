/** The processes of a box, and the host that they run on. */
import type { MemberSpec, Rlimit, RlimitName } from './keeper.js';

/** One process of a tree; proc_pid_stat(5). */
export interface ProcessRow {
  readonly pid: number;
  readonly ppid: number;
  readonly comm: string;
  readonly state: string;
  readonly threads: number;
  readonly rssBytes: number;
  readonly vmsBytes: number;
  readonly userUsec: number;
  readonly systemUsec: number;
}

/** Sums over a process tree. */
export interface TreeSample {
  /** Every live descendant of the root, without the root, parents before children. */
  readonly pids: readonly number[];
  readonly threads: number;
  readonly rssBytes: number;
  readonly vmsBytes: number;
  readonly swapBytes: number;
  /** Proportional set size; -1 unless requested. */
  readonly pssBytes: number;
  /** Resident memory by kind: RssAnon, RssFile, RssShmem of proc_pid_status(5); -1 if it was not read. */
  readonly anonBytes: number;
  readonly fileBytes: number;
  readonly shmemBytes: number;
  /** CPU time of the live processes and of the descendants that they have reaped. */
  readonly userUsec: number;
  readonly systemUsec: number;
  readonly guestUsec: number;
  readonly iowaitUsec: number;
  readonly readCount: number;
  readonly writeCount: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  /** The `rows` processes largest by resident memory. */
  readonly rows: readonly ProcessRow[];
  /** The descriptors of `openFilesOf`. */
  readonly openFiles: readonly { readonly path: string; readonly fd: number }[];
}

export interface TreeSampleOptions {
  readonly rows?: number;
  /** The process whose descriptors to list, at most 256 of them. */
  readonly openFilesOf?: number;
  /** Also read smaps_rollup, which is expensive. */
  readonly pss?: boolean;
}

/**
 * Walks /proc/PID/task/TID/children from `root` down. A list of pids is sampled as given. Never throws for processes that
 * end in the meantime.
 */
export function sampleTree(root: number | readonly number[], options?: TreeSampleOptions): TreeSample;

/** Finds the processes of a box that we did not start. Without a group it must look often: docs/adopt.md. */
export class Members {
  constructor(spec: MemberSpec);
  /**
   * The live processes: the main process first, then the processes in the group, those found earlier, and all of their
   * descendants.
   */
  look(): number[];
}

/**
 * The directory in which /proc shows what the threads of a process share: memory, descriptors, control groups, environment.
 * It is `/proc/PID`, or `/proc/PID/task/TID` of a live thread if the main thread has ended before the others.
 */
export function processDirectory(pid: number): string;

/** prlimit(2): returns the limit, and then sets it if `limit` is given. @throws Error with code, errno, syscall */
export function prlimit(pid: number, name: RlimitName, limit?: Partial<Rlimit>): Rlimit;

/**
 * Kills every process in a cgroup v2 directory and below it, through `cgroup.kill`.
 * @returns the number of processes that were in the directory itself; 0 if the kernel has no `cgroup.kill`
 */
export function killGroup(dir: string): number;
/** waitpid(2) with WNOHANG. @returns false while the child is running; true if it has ended or is not our child */
export function reapChild(pid: number): boolean;

/** Mostly from sysinfo(2). */
export interface HostSample {
  readonly uptimeSec: number;
  readonly processes: number;
  readonly swapUsedBytes: number;
}
export function hostSample(): HostSample;
/** Random bytes of getrandom(2), in hexadecimal. */
export function randomHex(bytes: number): string;
export function hostname(): string;
/**
 * The peer of a Unix socket, as the kernel recorded it at connect(2): SO_PEERCRED. `pid` is 0 if it is in another PID namespace.
 * @throws Error with code, errno, syscall
 */
export function peerOf(fd: number): { readonly pid: number; readonly uid: number };
/** The user's name in passwd(5), or the uid as text. @param uid @default the effective user */
export function userName(uid?: number): string;
/** CPUs that this thread may use, sched_getaffinity(2). */
export function allowedCpuCount(): number;
