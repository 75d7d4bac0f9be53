/**
 * cgroup-utils-native: the typed boundary between TypeScript and the kernel.
 * Mechanism only; it knows nothing about AMQP, options or schedulers.
 */

/** The 16 resources of setrlimit(2) by the names that prlimit(1) uses. */
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

/** A limit in the unit that setrlimit(2) gives for the resource. */
export type RlimitValue = number | 'unlimited';

export interface Rlimit {
  readonly soft: RlimitValue;
  readonly hard: RlimitValue;
}

/** How the job gets into its control groups, and what the keeper does with them. */
export interface CgroupLaunch {
  /** v2 directory that the job is forked into, clone3(2) CLONE_INTO_CGROUP. */
  readonly forkInto: string | null;
  /** v1 `tasks` files; the job writes `0` to each before exec. */
  readonly tasks: readonly string[];
  /** The group that `suspend` freezes; without one every process gets SIGSTOP. */
  readonly freezer: { readonly version: 1 | 2; readonly dir: string } | null;
  /** `cgroup.kill`, for `kill`. */
  readonly killFile: string | null;
}

/**
 * Groups of boxes that were killed together with their keepers: `prefix`, at least `idDigits` hexadecimal digits, and
 * anything. Where one has not changed for `minAgeSec` and no process is inside, it may be removed.
 */
export interface AbandonedGroups {
  readonly prefix: string;
  readonly idDigits: number;
  readonly minAgeSec: number;
}

/** `rmdir` takes everything below with it. */
export type CleanupStep =
  | { readonly op: 'rmdir'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly text: string };

/** What the keeper needs to know before it forks the job. */
export interface LaunchSpec {
  /** Index of the command's first word in the argument vector of the keeper's `hello`. */
  readonly commandIndex: number;
  /** argv[0] of the job where it is not the command. */
  readonly argv0?: string | undefined;
  /** Set between fork and exec, in this order. A missing half keeps the inherited value. */
  readonly rlimits: readonly { readonly name: RlimitName; readonly soft?: RlimitValue; readonly hard?: RlimitValue }[];
  /** Control groups that the wrapper has made, with the limits in them. */
  readonly cgroup: CgroupLaunch;
  /** stdout is stopped after this many bytes; 0 means never. */
  readonly stdoutMaxBytes: number;
}

/** A process that runs already, and who belongs to it. */
export interface MemberSpec {
  readonly pid: number;
  /** Field 22 of proc_pid_stat(5): a later process with the same number is another one. */
  readonly startTicks: number;
  /** Processes that are not of the box, with everything below them: the wrapper where it is a descendant. */
  readonly excluded: readonly number[];
  /** A `cgroup.procs` that lists the box, with the groups below it; null where there is none. */
  readonly procsFile: string | null;
}

/** What the keeper needs to know of a process that it has not started. Limits and groups are in force already. */
export interface AdoptSpec {
  readonly pid: number;
  readonly startTicks: number;
  readonly excluded: readonly number[];
  /** `started` comes only when the process has executed another program: before that it is its starter's. */
  readonly awaitExec: boolean;
  readonly cgroup: Pick<CgroupLaunch, 'freezer' | 'killFile'> & Pick<MemberSpec, 'procsFile'>;
  /** Where stdout is a file: reported after this many bytes; 0 means never. */
  readonly stdoutMaxBytes: number;
}

/** Usage of the processes that the keeper itself has reaped, and bytes of stdout so far. */
export interface KeeperUsage {
  /** CPU time of reaped processes and their reaped descendants, getrusage(2) RUSAGE_CHILDREN. */
  readonly userUsec: number;
  readonly systemUsec: number;
  /** Largest resident set of one reaped process, bytes. */
  readonly maxRssBytes: number;
  /** proc_pid_io(5) of reaped processes: syscr, syscw, read_bytes, write_bytes. */
  readonly readCount: number;
  readonly writeCount: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly stdoutBytes: number;
}

/** How stdout is accounted: shared file offset, splice through a pipe, or not at all. */
export type StdoutMode = 'file' | 'pipe' | 'terminal' | 'other';

export type KeeperEvent =
  | {
      readonly type: 'hello';
      /** argv as the user typed it, with argv[0]. */
      readonly argv: readonly string[];
      /** Every `PBOX_*` entry of the environment as `NAME=value`; the job does not get them. */
      readonly settings: readonly string[];
      readonly stdoutMode: StdoutMode;
      /** The front end reads the words; nobody decides these again. A verb as in `proc_box ctl`; empty for a job. */
      readonly verb: '' | 'adopt' | 'serve' | 'check' | 'ctl' | 'spool' | 'where' | '--help' | '--version';
      /** Index of the command's first word; `argv.length` where there is no command. */
      readonly commandIndex: number;
      /** The same where a word before the command may be wrong: only `--` tells. */
      readonly fallbackIndex: number;
      /** `--failure open`; the last one counts. */
      readonly failsOpen: boolean;
      readonly debug: boolean;
      /** There is a controlling terminal. */
      readonly terminal: boolean;
    }
  | { readonly type: 'started'; readonly pid: number /** CLOCK_MONOTONIC, ms. */; readonly atMs: number }
  | {
      readonly type: 'failed';
      /** The step that failed: `fork`, `setpgid`, `rlimit`, `cgroup`, `exec`, ...; `adopt`: no such process any more. */
      readonly step: string;
      /** Which rlimit or `tasks` file of the spec; 0 for an `exec` whose command was not found on PATH; else -1. */
      readonly index: number;
      readonly errno: number;
      /** `ENOENT` and so on. */
      readonly code: string;
    }
  | {
      readonly type: 'exited';
      /** Exit code of the main process, or null where a signal ended it. Of an adopted one both may be null: not known. */
      readonly code: number | null;
      readonly signal: number | null;
      readonly coreDumped: boolean;
      readonly atMs: number;
      readonly usage: KeeperUsage;
    }
  /** No process of the box is left and all of its stdout has reached the reader. */
  | { readonly type: 'empty'; readonly usage: KeeperUsage }
  | { readonly type: 'stopped'; readonly signal: number }
  | { readonly type: 'continued' }
  | { readonly type: 'stdoutlimit'; readonly bytes: number }
  /** As many bytes as `stdoutMark` has named are out. */
  | { readonly type: 'stdoutmark'; readonly bytes: number }
  /** A signal of those that `watchSignals` takes over was sent to the keeper: its sender reaches a whole tree or session. */
  | {
      readonly type: 'witnessed';
      readonly signal: number /** Of the sender. */;
      readonly pid: number;
      readonly atMs: number;
    }
  /** The keeper has acted on its deadline, since nobody else has. */
  | { readonly type: 'expired'; readonly atMs: number }
  /** Processes that SIGKILL has not ended, a second after it. `final`: they are no longer waited for, and `empty` follows. */
  | { readonly type: 'unkillable'; readonly processes: readonly Unkillable[]; readonly final: boolean }
  /** An upgrade in between: this keeper speaks another version of the protocol. Nothing was read, and nothing follows. */
  | { readonly type: 'mismatch'; readonly version: number; readonly expected: number }
  /** The keeper has ended; nothing follows. */
  | { readonly type: 'gone' };

/** Monotonic ms; 0: never. */
export interface KeeperDeadline {
  /** The signal goes to the job's group, and after the grace period SIGKILL to every process. */
  readonly stopAtMs: number;
  readonly killAtMs: number;
  readonly graceMs: number;
  readonly signal: number;
  /** At `killAtMs` a reader of stdout that takes nothing any more does not hold up the end. An end by `stopAtMs` never waits. */
  readonly abandon: boolean;
}

export interface Unkillable {
  readonly pid: number;
  readonly name: string;
  /** For users: who it belongs to, what it waits for, what holds it. */
  readonly reason: string;
}

/**
 * Who is asked to end: `group`, the job's process group, and those outside of it who would never end by themselves;
 * `forward`, the group alone, for a signal of the scheduler's; `rest`, after the main process has ended, whoever has not
 * been asked; `spare`, the same but for those who have had the scheduler's signal. native/src/keeper/ladder.h.
 */
export type StopHow = 'group' | 'forward' | 'rest' | 'spare';

/** One keeper process: parent and subreaper of one job. Protocol: native/README.md. */
export class Keeper {
  /** Takes over the connected socket `fd`. Events arrive on the event loop, in order. */
  constructor(fd: number, onEvent: (event: KeeperEvent) => void);
  readonly pid: number;
  /** The keeper and, where it has one, its guard. */
  readonly pids: readonly number[];
  /**
   * What the keeper does, in order, when its owner has gone and nothing of the box is left. Each call adds steps: say
   * them before making what they take away, so that nothing stays if the owner dies in between. With `abandoned` it then
   * looks for such groups beside those that it has removed.
   */
  cleanup(steps: readonly CleanupStep[], abandoned?: AbandonedGroups): void;
  start(spec: LaunchSpec): void;
  /**
   * Instead of `start`: keeps a process that runs already. When its owner goes (`close`, or its death) the box goes on;
   * the keeper then only waits for its end, for the clean-up.
   */
  adopt(spec: AdoptSpec): void;
  /** To the job's process group, or to every process of the box. Resolves to the number of processes signalled. */
  signal(scope: 'group' | 'all', signal: number): Promise<number>;
  /**
   * SIGKILL to every process of the box until none is left; resolves when the sweep has ended.
   * @param abandonReader `empty` comes even if the reader of stdout takes nothing any more: what it has not taken after
   *   a second is lost. @default false
   */
  kill(abandonReader?: boolean): Promise<number>;
  /**
   * The first rung of the stop ladder: the signal to those who take it, SIGKILL at once to those who ignore or block it; but
   * for the main process, which is only asked. Resolves to the number of processes signalled.
   */
  stop(how: StopHow, signal: number): Promise<number>;
  /**
   * SIGTSTP, also where the kernel takes the job's group for orphaned: those with the default action stop, those of the
   * job's group with a handler get it. `allStopped`: nothing of the box runs any more.
   * @param reached its sender has signalled the job as well
   */
  pause(reached: boolean): Promise<{ count: number; allStopped: boolean }>;
  /** SIGSTOP to every process until all are stopped. */
  suspend(): Promise<number>;
  /** SIGCONT to every process. */
  resume(): Promise<number>;
  /** prlimit(2) on every process of the box. Rejects with the first errno where none could be changed. */
  rlimit(
    name: RlimitName,
    limit: Partial<Rlimit>,
  ): Promise<{ changed: number; failed: number; errno: number; code: string; limit: Rlimit }>;
  /** New bound of stdout in bytes; 0 means none. */
  stdoutLimit(bytes: number): Promise<void>;
  /** Asks for one `stdoutmark` event, when stdout has so many bytes; 0 takes that back. */
  stdoutMark(bytes: number): Promise<void>;
  usage(): Promise<KeeperUsage>;
  /** What the keeper does by itself where it is not told to half a second later; in place of the deadline before. */
  deadline(deadline: KeeperDeadline): void;
  /** Ends the keeper at once; it kills what is left of the box. */
  close(): void;
  /** As `close`, and waits (synchronously, at most 2 s) until it has gone. False where it takes longer. */
  finish(): boolean;
}

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
  /** Proportional set size; -1 where it was not asked for. */
  readonly pssBytes: number;
  /** Resident memory by kind, proc_pid_status(5) RssAnon, RssFile, RssShmem; -1 where not asked for. */
  readonly anonBytes: number;
  readonly fileBytes: number;
  readonly shmemBytes: number;
  /** Live processes and the descendants that they have reaped. */
  readonly userUsec: number;
  readonly systemUsec: number;
  readonly guestUsec: number;
  readonly iowaitUsec: number;
  readonly readCount: number;
  readonly writeCount: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  /** The `rows` largest by resident memory. */
  readonly rows: readonly ProcessRow[];
  /** Descriptors of `openFilesOf`. */
  readonly openFiles: readonly { readonly path: string; readonly fd: number }[];
}

export interface TreeSampleOptions {
  readonly rows?: number;
  /** Process whose descriptors are listed; at most 256 of them. */
  readonly openFilesOf?: number;
  /** Read smaps_rollup: costly. */
  readonly pss?: boolean;
}

/**
 * Walks /proc/PID/task/TID/children from `root` down; a list of pids is taken as it is. Never throws for processes that
 * end meanwhile.
 */
export function sampleTree(root: number | readonly number[], options?: TreeSampleOptions): TreeSample;

/** The processes of a box whose parent is somebody else. Without a group they must be looked at often: docs/adopt.md. */
export class Members {
  constructor(spec: MemberSpec);
  /** Those alive now, the main process first: its descendants, who is in the group, who was met before, and theirs. */
  look(): number[];
}

/**
 * Where /proc shows what the threads of a process share (memory, descriptors, control groups, environment): `/proc/PID`,
 * or `/proc/PID/task/TID` of a live thread where the main thread has ended before the others and `/proc/PID` is empty.
 */
export function processDirectory(pid: number): string;

/** prlimit(2). With `limit` sets it, and returns what was in force before. Throws an Error with code, errno, syscall. */
export function prlimit(pid: number, name: RlimitName, limit?: Partial<Rlimit>): Rlimit;

/** Starts a keeper of our own and returns its socket: for programs that host boxes without the `proc_box` executable. */
export function launchKeeper(executable: string, argv: readonly string[], environment: readonly string[]): number;

/** sysinfo(2) and the like. */
export interface HostSample {
  readonly uptimeSec: number;
  readonly processes: number;
  readonly swapUsedBytes: number;
}
export function hostSample(): HostSample;

/**
 * A small file of the kernel; null where it cannot be opened or read. Such a file has no size, and node:fs takes
 * 64 kB of memory and ten times the time for it.
 */
export function readText(path: string): string | null;
/** One write(2) to a file that exists. @returns the errno's name, or null where it was written */
export function writeText(path: string, text: string): string | null;
/** A file as it was when it was opened: no second look-up of its name. */
export interface FileRead {
  readonly bytes: Buffer;
  /** Permission bits; inode(7). */
  readonly mode: number;
  readonly uid: number;
}
/** All of a file, or of a pipe up to its end. @returns the errno's name where that fails; EFBIG beyond `maxBytes` */
export function readFile(path: string, maxBytes: number): FileRead | string;
/** access(2) by the real user. @param writable asks for W_OK. @default F_OK. @returns the errno's name, or null */
export function access(path: string, writable?: boolean): string | null;
/** mkdir(2), rmdir(2). @returns the errno's name, or null where it was done */
export function makeDirectory(path: string): string | null;
export function removeDirectory(path: string): string | null;
/** Removes a control group with everything below it, however deep. @returns the errno's name, or null where it has gone */
export function removeGroups(path: string): string | null;
/**
 * Text for a descriptor that may block for as long as its reader likes. `write` returns at once: a thread, which lives only
 * while there is something to write, does the write(2) calls in order. Up to 256 KiB wait; what does not fit is lost, and a
 * line says how much once the reader is back. `exitNow`, `dieOf`, `redirectStderr` and the end of Node wait up to a second
 * for what is left, and less where the reader has made no progress for a while.
 */
export class Outlet {
  /** @param fd is the outlet's from now on, which closes it after `close` and the last write */
  constructor(fd: number);
  write(text: string): void;
  close(): void;
}
/** As `Outlet.write`, for stderr. */
export function writeStderr(text: string): void;

/**
 * Calls `onFire` once, `ms` after the last `start`, on the event loop; `stop` prevents that. Node's own timers have to be
 * compiled at their first use, which takes a millisecond of each launch; these also have no bound of 2^31 ms.
 * @param background does not keep the event loop alive. @default false
 */
export class Timer {
  constructor(onFire: () => void, background?: boolean);
  /** @param ms whole, from now; a timer that runs is started anew */
  start(ms: number): void;
  stop(): void;
  /** It will fire. */
  readonly active: boolean;
}

/**
 * How long this process has been stopped (SIGSTOP) or frozen, exact to 50 ms: see native/src/proc/suspension.h. A blocked event
 * loop or a machine under load is no suspension. Does not keep the event loop alive.
 */
export class SuspensionWatch {
  /** @param onSuspended called on the event loop after each suspension */
  constructor(onSuspended: () => void);
  /** Since the watch was made, ms; of now. */
  suspendedMs(): number;
  /** Nothing is told any more, and the thread that watches ends with its last user. */
  close(): void;
}

/**
 * Small files of the kernel that are read again and again. A file that has been read stays open until the object is
 * collected: a fifth of the time of opening it anew, a tenth of node:fs. An open file does not keep its control group.
 */
export class TextFiles {
  constructor(paths: readonly string[]);
  /** Their texts of now; null for each that cannot be opened or read. */
  read(): (string | null)[];
  /** For processes that outlive what they read: nothing stays open until the next `read`. */
  close(): void;
}

/**
 * prctl(2) PR_SET_DUMPABLE 0 for this process. SIGTTOU is ignored: a log line on a terminal with `stty tostop` must not stop
 * it while the job has the foreground.
 */
export function protectSelf(): void;
/**
 * SIGKILL to everything in a cgroup v2 directory and below it, through `cgroup.kill`.
 * @returns number of processes that were in the directory itself; 0 where it cannot be killed in that way
 */
export function killGroup(dir: string): number;
/** waitpid(2) without waiting: false where this child still runs, true where it has ended, or was never ours. */
export function reapChild(pid: number): boolean;
/** Points stdin and stdout of this process to /dev/null, so that readers and writers of the job see its ends only. */
export function releaseStdio(): void;
/** Makes this descriptor stderr, and closes it. What was written before goes to the old one: see `Outlet`. */
export function redirectStderr(fd: number): void;
/** A signal to the front end, and who sent it. */
export interface SignalDelivery {
  readonly signal: number;
  /** Of the sender; 0 for the kernel, and for a sender outside of our pid namespace. */
  readonly pid: number;
  readonly uid: number;
  /** CLOCK_MONOTONIC, ms; when it arrived, also while JavaScript was busy. */
  readonly atMs: number;
}

/**
 * Takes HUP, INT, QUIT, TERM, USR1, USR2, WINCH, TSTP and CONT over from Node, process-wide. Does not keep the event loop
 * alive. Returns a function that delivers at once what has come so far. Throws an Error with code, errno, syscall.
 */
export function watchSignals(onSignal: (delivery: SignalDelivery) => void): () => void;
/** By then, monotonic ms, the keeper must have killed the box; a little later the front end kills it itself. 0: no bound. */
export function boundEnd(atMs: number): void;
/** The front end holds the open file too, and with it a lock on it, until it has ended. */
export function holdOpen(fd: number): void;
/** How long this process may need when the job has ended; a good deal later the front end ends without it. */
export function flushPatience(ms: number): void;
/** _exit(2): no atexit handlers, terminal settings stay as the job left them. The front end exits with the same code. */
export function exitNow(code: number): never;
/** Ends this process; the front end dies of `signal` with its default action, without a core file of its own. */
export function dieOf(signal: number): never;
/** kill(0, SIGSTOP): stops our process group as the shell expects after ^Z. False where no shell could resume it. */
export function stopOwnGroup(): boolean;
/** CLOCK_MONOTONIC, ms: the clock of `atMs`. */
export function monotonicMs(): number;
/**
 * flock(2), exclusive, without waiting. The lock ends with the last copy of the descriptor.
 * @returns false where somebody else holds it
 * @throws Error with `code`, as Node's own
 */
export function lockFile(fd: number): boolean;
/** getrandom(2), hexadecimal. */
export function randomHex(bytes: number): string;
export function hostname(): string;
/**
 * SO_PEERCRED of a Unix socket: who has connected, as the kernel noted it then. `pid` is 0 for one of another PID namespace.
 * @throws Error with `code`, as Node's own
 */
export function peerOf(fd: number): { readonly pid: number; readonly uid: number };
/** passwd name of a user, or its number as text. @param uid @default the effective user */
export function userName(uid?: number): string;
/** CPUs that this thread may use, sched_getaffinity(2). */
export function allowedCpuCount(): number;
