/** The processes of a box, and the host that they run on. */
import type { KeeperUsage, Rlimit, RlimitName } from './keeper.js';

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
  /** Every live process, parents before children. */
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
  /** At most 256 descriptors of the main process. */
  readonly openFiles: readonly { readonly path: string; readonly fd: number }[];
}

export interface SampleOptions {
  /** Walk over the processes of the box. @default false */
  readonly walk?: boolean;
  /** How many of the processes largest by resident memory to list. @default 0 */
  readonly rows?: number;
  /** List the descriptors of the main process. @default false */
  readonly openFiles?: boolean;
  /** Also read smaps_rollup, which is expensive. @default false */
  readonly pss?: boolean;
  /** A `cgroup.procs` that lists the processes. Then the walk takes place only if the list has at most `walkMost`. */
  readonly list?: string;
  readonly walkMost?: number;
  /** Files of the box's groups; they stay open until the keeper ends. Do not change the list afterwards: pass another one. */
  readonly files?: readonly string[];
}

/** What the keeper has read for one sample, in this order: its own totals, the files, the list, the processes. */
export interface RawSample {
  readonly usage: KeeperUsage;
  /** One text per file; null if it could not be read. */
  readonly texts: readonly (string | null)[];
  /** Null without a list. */
  readonly pids: readonly number[] | null;
  /** Null without a walk. */
  readonly tree: TreeSample | null;
  /** CPU time of the keeper for this sample. */
  readonly costUsec: number;
}

/**
 * The directory in which /proc shows what the threads of a process share: memory, descriptors, control groups, environment.
 * It is `/proc/PID`, or `/proc/PID/task/TID` of a live thread if the main thread has ended before the others.
 */
export function processDirectory(pid: number): string;

/** prlimit(2): returns the limit, and then sets it if `limit` is given. @throws Error with code, errno, syscall */
export function prlimit(pid: number, name: RlimitName, limit?: Partial<Rlimit>): Rlimit;

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
