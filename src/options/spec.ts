import type { LaunchSpec } from 'cgroup-utils-native';
import type { ControlAuth, ControlRule } from './control.js';
import type { SiteConfig } from './rascal-config.js';
import type { Resources } from './table/limits.js';

/** Where a value came from; part of error messages and of the start log line. */
export type Source = 'command line' | 'environment' | 'config file' | 'scheduler' | 'default';

/** Where the box's control groups are made. */
export type CgroupMode = 'auto' | 'off' | readonly string[];

export type RlimitRequest = LaunchSpec['rlimits'][number];

export interface WarnSignal {
  readonly signal: number;
  /** Before the time limit. */
  readonly beforeMs: number;
}

/** What was asked for, parsed once, frozen. Sizes in bytes, times in ms; 0 means none where the option says so. */
export interface BoxSpec {
  /** Broker URIs in order of preference; empty means no broker. Holds passwords: never log it. */
  readonly uris: readonly string[];
  /** A broker was named by somebody; else the default is tried. */
  readonly uriAsked: boolean;
  readonly exchange: string;
  /** Exchange for answers; empty for the default exchange. */
  readonly replyExchange: string;
  /** Routing keys of remote commands, before the addressing suffixes; `{user}` in them is the user of the job. */
  readonly routingKeys: readonly string[];
  readonly statsKey: string;
  readonly eventsKey: string;
  readonly controlAuth: ControlAuth;
  /** For `user`. */
  readonly controlRules: readonly ControlRule[];
  /** Folder of the public keys, for `signed`. */
  readonly controlKeys: string | undefined;
  /** File of the audit trail; undefined for none. */
  readonly auditLog: string | undefined;
  /** 0 turns periodic sampling off. */
  readonly sampleIntervalMs: number;
  /** Wall clock limit; 0 means none. */
  readonly timeoutMs: number;
  readonly timeoutSource: Source;
  /** Where the value of a limit came from, by the limit's name: the flag, the variable, or file and line. Without defaults. */
  readonly limitOrigins: Readonly<Record<string, string>>;
  readonly limitSources: Readonly<Record<string, Source>>;
  /** `--timeout scheduler`: the scheduler is asked for the job's end where its environment does not tell. */
  readonly timeoutAsked: boolean;
  /** 0 means none. */
  readonly stdoutMaxBytes: number;
  /** The limit was given by somebody. */
  readonly stdoutAsked: boolean;
  /** Time for one message to be sent; 0 means never give up. */
  readonly messageTimeoutMs: number;
  /** At most this long for the broker at the job's end. */
  readonly flushMs: number;
  readonly userData: unknown;
  readonly rlimits: readonly RlimitRequest[];
  /** Limits of the box as a whole. */
  readonly resources: Resources;
  /** `auto`, `off`, or directories of control groups, at most one a hierarchy. */
  readonly cgroup: CgroupMode;
  readonly enforce: 'strict' | 'best-effort';
  /** `--enforce` was given by somebody. */
  readonly enforceAsked: boolean;
  readonly oomGroup: boolean;
  /** Percents of a limit, ascending, at which its use is told before it is reached. */
  readonly near: readonly number[];
  /** Sent before the wall clock limit; undefined for none. */
  readonly warnSignal: WarnSignal | undefined;
  /** Signal number that the command `stop` sends. */
  readonly stopSignal: number;
  /** Of the time limit, of other limits, and for what the main process leaves behind. */
  readonly endSignal: number;
  readonly graceMs: number;
  /** The grace period was given by somebody: a scheduler's own time counts only where it is shorter. */
  readonly graceAsked: boolean;
  /** Wait for what the main process leaves behind instead of stopping it. */
  readonly linger: boolean;
  /** argv[0] of the job where it is not the command. */
  readonly argv0: string | undefined;
  /** Die of the signal that the job died of. */
  readonly reraise: boolean;
  /** Print the end report on stderr. */
  readonly report: boolean;
  /** Rows of the largest processes in each sample. */
  readonly rows: number;
  /** Longest time between walks over the processes of a large box; 0 walks for every sample. */
  readonly rowsIntervalMs: number;
  /** Read proportional set sizes in each sample. */
  readonly pss: boolean;
  /** Parsed content of --rascal-config, checked; undefined where none was given. */
  readonly rascalConfig: SiteConfig | undefined;
  /** Bounds of the outbox. */
  readonly outboxMaxMessages: number;
  readonly outboxMaxBytes: number;
  /** Where to keep what the broker has not confirmed; undefined keeps it in memory only. */
  readonly spoolDir: string | undefined;
  /** Bounds of a user's spool. */
  readonly spoolMaxBytes: number;
  readonly spoolMaxAgeMs: number;
  /** File for the end report as JSON; `{job}` and the like stand in it. Undefined for none. */
  readonly reportFile: string | undefined;
  readonly debug: boolean;
  /** Only errors are logged. */
  readonly nowarn: boolean;
  /** Nothing is written but errors, and why the box ended the job. */
  readonly quiet: boolean;
  /** The command and its arguments. */
  readonly command: readonly string[];
  /** Why not all that was asked for counts (`--failure open`). */
  readonly ignored?: string;
}

/** Somebody gets samples: with neither broker nor end report nobody does, and nobody sends commands. */
export function isObserved({ uris, report, reportFile }: BoxSpec): boolean {
  return uris.length > 0 || report || reportFile !== undefined;
}

/** Who this job is, as users and operators name it. Every field is text as the scheduler gives it. */
export interface JobIdentity {
  readonly scheduler: 'slurm' | 'pbs' | 'sge' | 'lsf' | 'htcondor' | 'none';
  readonly cluster: string | null;
  /** `1234`, or `1234_7` for array task 7; of a heterogeneous job its leader's; without a scheduler the box's own id. */
  readonly job: string;
  readonly step: string | null;
  readonly task: string | null;
  readonly restart: number;
  readonly user: string;
  readonly host: string;
  /** The scheduler's name of the host, which may differ from the hostname; PBS: the hostname up to the first dot. */
  readonly node: string | null;
  /** Queue or partition. */
  readonly queue: string | null;
  /** Unique for this run of proc_box. */
  readonly box: string;
}
