/** The keeper of one box and its requests. native/README.md describes the protocol. */
import type { FrontMessage } from './agent.js';
import type { KeeperEvent } from './events.js';
import type { FileOp, FileResult } from './files.js';
import type { RawSample, SampleOptions } from './processes.js';

/** The 16 resources of setrlimit(2), by their names in prlimit(1). */
export type RlimitName =
  | 'as'
  | 'core'
  | 'cpu'
  | 'data'
  | 'fsize'
  | 'locks'
  | 'memlock'
  | 'msgqueue'
  | 'nice'
  | 'nofile'
  | 'nproc'
  | 'rss'
  | 'rtprio'
  | 'rttime'
  | 'sigpending'
  | 'stack';

/** A limit, in the unit of setrlimit(2) for the resource. */
export type RlimitValue = number | 'unlimited';

export interface Rlimit {
  readonly soft: RlimitValue;
  readonly hard: RlimitValue;
}

/** How the job gets into its control groups, and what the keeper does with them. */
export interface CgroupLaunch {
  /** The v2 directory that the job is born in: clone3(2), CLONE_INTO_CGROUP. */
  readonly forkInto: string | null;
  /** v1 `tasks` files. The job writes `0` to each before exec. */
  readonly tasks: readonly string[];
  /** The group that `suspend` freezes. Without one, every process gets SIGSTOP. */
  readonly freezer: { readonly version: 1 | 2; readonly dir: string } | null;
  /** The `cgroup.kill` file that `kill` uses. */
  readonly killFile: string | null;
}

/**
 * Groups of boxes that were killed together with their keepers. The name is `prefix`, at least `idDigits` hexadecimal
 * digits, and any text. Such a group may be removed if it has not changed for `minAgeSec` and holds no process.
 */
export interface AbandonedGroups {
  readonly prefix: string;
  readonly idDigits: number;
  readonly minAgeSec: number;
}

/** `rmdir` also removes every group below the path. */
export type CleanupStep =
  | { readonly op: 'rmdir'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly text: string };

/** What the keeper needs to know before it forks the job. */
export interface LaunchSpec {
  /** Index of the command's first word in the argument vector of the keeper's `hello`. */
  readonly commandIndex: number;
  /** argv[0] of the job. @default the command's first word */
  readonly argv0?: string | undefined;
  /** Set between fork and exec, in this order. A missing half keeps the inherited value. */
  readonly rlimits: readonly { readonly name: RlimitName; readonly soft?: RlimitValue; readonly hard?: RlimitValue }[];
  /** Control groups that the wrapper has made. Their limits are already set. */
  readonly cgroup: CgroupLaunch;
  /** The keeper stops stdout after this many bytes; 0: never. */
  readonly stdoutMaxBytes: number;
}

/** How the keeper puts a box around the process that it holds in force. Limits and groups are there already. */
export interface AdoptSpec {
  /** Send `started` only after the process has executed another program. Until then it is a fork of its starter. */
  readonly awaitExec: boolean;
  readonly cgroup: Pick<CgroupLaunch, 'freezer' | 'killFile'> & {
    /** The `cgroup.procs` of the box's group; null if the box has no group. Groups below it count as well. */
    readonly procsFile: string | null;
  };
  /** If stdout is a file, the keeper reports when it exceeds this many bytes; 0: never. */
  readonly stdoutMaxBytes: number;
}

/** Times of CLOCK_MONOTONIC, ms; 0: never. */
export interface KeeperDeadline {
  /** Send the signal to the job's process group, and SIGKILL to every process after the grace period. */
  readonly stopAtMs: number;
  readonly killAtMs: number;
  readonly graceMs: number;
  readonly signal: number;
  /** A stalled reader of stdout does not hold up the end at `killAtMs`. It never holds up an end by `stopAtMs`. */
  readonly abandon: boolean;
}

/**
 * Which processes are asked to end; native/src/keeper/ladder.h.
 * - `group`: the job's process group, and the processes outside it that would never end by themselves
 * - `forward`: the group only, for a scheduler's signal
 * - `rest`: after the main process has ended, every process that has not been asked yet
 * - `spare`: as `rest`, except the processes that have received the scheduler's signal
 */
export type StopHow = 'group' | 'forward' | 'rest' | 'spare';

/** One keeper process: parent and subreaper of one job. */
export class Keeper {
  /** Takes over the connected socket `fd`. Events arrive on the event loop, in order. */
  /** @param foreign the other end may be anybody's: frames are bounded. @default false */
  constructor(fd: number, onEvent: (event: KeeperEvent) => void, foreign?: boolean);
  readonly pid: number;
  /** The keeper and its guard, if it has one. */
  readonly pids: readonly number[];
  /**
   * Adds steps that the keeper carries out in order when its owner has gone and no process of the box is left. Call it
   * before making the groups that the steps remove, so that none stays if the owner dies in between. With `abandoned` the
   * keeper also removes such groups beside its own.
   */
  cleanup(steps: readonly CleanupStep[], abandoned?: AbandonedGroups): void;
  start(spec: LaunchSpec): void;
  /**
   * In place of `start`, for the process that the keeper was started with (`proc_box adopt --pid`). If the owner goes, by
   * `close` or by its death, the box goes on: the keeper waits for its end and cleans up.
   */
  adopt(spec: AdoptSpec): void;
  /** Signals the job's process group or every process of the box. Resolves to the number of processes signalled. */
  signal(scope: 'group' | 'all', signal: number): Promise<number>;
  /**
   * Sends SIGKILL to the processes of the box, in passes, until a pass meets no new process. Resolves to their number.
   * @param abandonReader `empty` comes even if the reader of stdout has stalled: output that it has not taken after a
   *   second is lost. @default false
   */
  kill(abandonReader?: boolean): Promise<number>;
  /**
   * The first rung of the stop ladder. Processes that handle the signal get it. Those that ignore or block it get SIGKILL at
   * once, except the main process. Resolves to the number of processes signalled.
   * @param atTimeLimit the time limit is over, which the front end or the next agent has to know if this process ends before the job
   */
  stop(how: StopHow, signal: number, atTimeLimit: boolean): Promise<number>;
  /**
   * SIGTSTP, even if the job's process group is orphaned and the kernel would discard it. Processes with the default action
   * stop, and processes of the job's group with a handler get the signal. `allStopped`: every process of the box has stopped.
   * @param reached the sender of SIGTSTP has signalled the job as well
   */
  pause(reached: boolean): Promise<{ count: number; allStopped: boolean }>;
  /** Freezes the box's group, or sends SIGSTOP to every process. Resolves when all have stopped, or after a second. */
  suspend(): Promise<number>;
  /** Thaws the group, or sends SIGCONT to every process. */
  resume(): Promise<number>;
  /** How long the scheduler has held the box together with its keeper so far, ms. 0 from a keeper of an older version. */
  heldMs(): Promise<number>;
  /**
   * prlimit(2) on every process of the box; before the start on the keeper, whose limits the job inherits. `errno` and `code`
   * are those of the last failure.
   */
  rlimit(
    name: RlimitName,
    limit: Partial<Rlimit>,
  ): Promise<{ changed: number; failed: number; errno: number; code: string; limit: Rlimit }>;
  /** Sets the limit of stdout in bytes; 0: none. */
  stdoutLimit(bytes: number): Promise<void>;
  /** Asks for one `stdoutmark` event when stdout reaches this many bytes; 0 cancels it. */
  stdoutMark(bytes: number): Promise<void>;
  /**
   * Carries out operations on control groups, in order; one result per operation. The keeper reads only files of a cgroup
   * file system, and writes only in groups that it has made by this request: native/src/keeper/group_files.h. At most 256
   * operations and 256 kB; beyond that there is one result, E2BIG.
   */
  files(ops: readonly FileOp[]): Promise<FileResult[]>;
  /** Samples the box, from the start of the job until the keeper ends. */
  sample(options: SampleOptions): Promise<RawSample>;
  /** Replaces the deadline. The keeper acts on it if its owner has not acted half a second later. */
  deadline(deadline: KeeperDeadline): void;
  /** As an agent: serves this box from now on. */
  welcome(): void;
  /** As an agent: a message for the box's front end. */
  toFront(message: FrontMessage): void;
  /** As an agent: what the next agent needs to go on, at most 64 KiB; replaces the bytes before. */
  keep(bytes: Buffer): void;
  /** As an agent: more than 16 KiB wait for the keeper to read them. It is stopped, frozen or very busy. */
  readonly isBehind: boolean;
  /**
   * As an agent: a file that the user has named in an option, read with the user's rights; at most 768 KiB.
   * `code` is the errno's name, EPERM if the user has not named it.
   */
  readFile(
    path: string,
  ): Promise<{ readonly code?: string; readonly bytes: Buffer; readonly mode: number; readonly uid: number }>;
  /**
   * As an agent: replaces the file that the user has named for the report.
   * @param placeholders name and value of each, one after the other
   */
  writeReport(path: string, placeholders: readonly string[], text: string): Promise<{ readonly code?: string }>;
  /** As an agent: no agent can serve this box, so that its keeper looks for none. */
  leave(): void;
  /** As an agent: answers `ask`. */
  answer(text: string): void;
  /** Closes the connection; the keeper kills the rest of the box and ends. A keeper with an agent looks for the next one. */
  close(): void;
  /** As `close`, but waits synchronously until the keeper has gone, at most 2 s. False if it takes longer. */
  finish(): boolean;
}

/** Starts a keeper and returns its socket, for programs that host boxes without the front end. */
export function launchKeeper(executable: string, argv: readonly string[], environment: readonly string[]): number;
