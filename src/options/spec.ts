import type { LaunchSpec } from 'cgroup-utils-native';
import type { ControlAuth, ControlRule } from './control.js';
import type { SiteConfig } from './rascal-config.js';
import type { Resources } from './table/limits.js';

/** Where a value came from; error messages and the first log line name it. */
export type Source = 'command line' | 'environment' | 'config file' | 'scheduler' | 'default';

/** Where the box's control groups are made. */
export type CgroupMode = 'auto' | 'off' | readonly string[];

export type RlimitRequest = LaunchSpec['rlimits'][number];

export interface WarnSignal {
  readonly signal: number;
  /** Time before the time limit. */
  readonly beforeMs: number;
}

/** What was asked for: parsed once, and frozen. Sizes are in bytes, times in ms; 0 means no limit if the option says so. */
export interface BoxSpec {
  /** Broker URIs in order of preference; empty means no broker. Holds passwords: never log it. */
  readonly uris: readonly string[];
  /** True if a broker was named; otherwise the default is tried. */
  readonly uriAsked: boolean;
  readonly exchange: string;
  /** The exchange for answers; empty for the default exchange. */
  readonly replyExchange: string;
  /** Routing keys of remote commands, without the addressing suffixes; `{user}` in them stands for the job's user. */
  readonly routingKeys: readonly string[];
  readonly statsKey: string;
  readonly eventsKey: string;
  readonly controlAuth: ControlAuth;
  /** For `controlAuth` `user`. */
  readonly controlRules: readonly ControlRule[];
  /** The folder of the public keys, for `controlAuth` `signed`. */
  readonly controlKeys: string | undefined;
  /** The file of the audit trail; undefined for no file. */
  readonly auditLog: string | undefined;
  /** 0 turns periodic sampling off. */
  readonly sampleIntervalMs: number;
  /** Wall clock limit; 0 means no limit. */
  readonly timeoutMs: number;
  readonly timeoutSource: Source;
  /** Origin of each limit that was given, by its name: the flag, the variable, or file and line. Defaults are left out. */
  readonly limitOrigins: Readonly<Record<string, string>>;
  readonly limitSources: Readonly<Record<string, Source>>;
  /** `--timeout scheduler` was given: ask the scheduler for the job's end if its environment does not say. */
  readonly timeoutAsked: boolean;
  /** 0 means no limit. */
  readonly stdoutMaxBytes: number;
  /** `--stdoutlimit` was given. */
  readonly stdoutAsked: boolean;
  /** Longest time for sending a message; 0 never gives up. */
  readonly messageTimeoutMs: number;
  /** Longest wait for the broker at the job's end. */
  readonly flushMs: number;
  readonly userData: unknown;
  readonly rlimits: readonly RlimitRequest[];
  /** The limits of the box as a whole. */
  readonly resources: Resources;
  /** `auto`, `off`, or cgroup directories, at most one per hierarchy. */
  readonly cgroup: CgroupMode;
  readonly enforce: 'strict' | 'best-effort';
  /** `--enforce` was given. */
  readonly enforceAsked: boolean;
  readonly oomGroup: boolean;
  /** Percentages of a limit, ascending, at which its usage is reported before it is reached. */
  readonly near: readonly number[];
  /** The signal that precedes the wall clock limit; undefined for no signal. */
  readonly warnSignal: WarnSignal | undefined;
  /** Number of the signal that the command `stop` sends. */
  readonly stopSignal: number;
  /** Number of the signal for the time limit, other limits, and processes that the main process leaves behind. */
  readonly endSignal: number;
  readonly graceMs: number;
  /** `--grace` was given: the scheduler's own grace period counts only if it is shorter. */
  readonly graceAsked: boolean;
  /** Wait for the processes that the main process leaves behind instead of stopping them. */
  readonly linger: boolean;
  /** argv[0] of the job if it is not the command. */
  readonly argv0: string | undefined;
  /** Die of the same signal as the job. */
  readonly reraise: boolean;
  /** Print the end report on stderr. */
  readonly report: boolean;
  /** Number of the largest processes to list in each sample. */
  readonly rows: number;
  /** Longest time between two walks over the processes of a large box; 0 walks for every sample. */
  readonly rowsIntervalMs: number;
  /** Read proportional set sizes in each sample. */
  readonly pss: boolean;
  /** The checked content of --rascal-config; undefined if it was not given. */
  readonly rascalConfig: SiteConfig | undefined;
  /** Bounds of the outbox. */
  readonly outboxMaxMessages: number;
  readonly outboxMaxBytes: number;
  /** Where to keep messages that the broker has not confirmed; undefined keeps them in memory only. */
  readonly spoolDir: string | undefined;
  /** Bounds of a user's spool. */
  readonly spoolMaxBytes: number;
  readonly spoolMaxAgeMs: number;
  /** The file for the end report as JSON, whose name may contain `{job}` and the like; undefined for no file. */
  readonly reportFile: string | undefined;
  readonly debug: boolean;
  /** Log only errors. */
  readonly nowarn: boolean;
  /** Write only errors, and why the box ended the job. */
  readonly quiet: boolean;
  /** The command and its arguments. */
  readonly command: readonly string[];
  /** Number of arguments of the command. An agent does not get the arguments themselves. */
  readonly argumentCount: number;
  /** Why some options have no effect (`--failure open`). */
  readonly ignored?: string;
}

/** Whether the samples are used. Without a broker and an end report nobody reads them, and nobody sends commands. */
export function isObserved({ uris, report, reportFile }: BoxSpec): boolean {
  return uris.length > 0 || report || reportFile !== undefined;
}

/** The schedulers whose jobs proc_box knows; `none` outside of jobs. */
export const SCHEDULER_NAMES = ['slurm', 'pbs', 'sge', 'lsf', 'htcondor', 'none'] as const;

/** The job's identity as users and operators know it, with the texts that the scheduler gives. */
export interface JobIdentity {
  readonly scheduler: (typeof SCHEDULER_NAMES)[number];
  readonly cluster: string | null;
  /** `1234`, or `1234_7` for array task 7; the leader's for a heterogeneous job; the box's own id without a scheduler. */
  readonly job: string;
  readonly step: string | null;
  readonly task: string | null;
  readonly restart: number;
  readonly user: string;
  readonly host: string;
  /** The scheduler's name of the host, which may differ from the hostname. In PBS: the hostname up to the first dot. */
  readonly node: string | null;
  /** Queue or partition. */
  readonly queue: string | null;
  /** Unique for this run of proc_box. */
  readonly box: string;
  /** Only with an agent: the parts that do not rest on what the job's user says. */
  readonly verified?: readonly ('user' | 'host' | 'job')[];
}
