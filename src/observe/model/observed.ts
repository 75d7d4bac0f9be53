import type { BoxState, Reason } from '../../model/types.js';

/**
 * What is known about boxes from their messages, after parse.ts has checked it. Foreign text is bounded and well-formed, but its
 * characters are still the sender's: whoever shows it escapes it for HTML, a terminal, SQL, a label or a file name.
 */

/** In the order of a box's life. The store keeps their places in this list: a new one goes to its end. */
export const BOX_STATES = [
  'starting',
  'running',
  'suspended',
  'stopping',
  'ended',
] as const satisfies readonly BoxState[];

/** Latest time that JavaScript's Date knows, in ms since the epoch. */
export const TIME_MAX_MS = 8.64e15;

/** Who a box is. Everything here is the sender's word, except the parts that `verified` names. */
export interface ObservedIdentity {
  /** Unique for one run of proc_box. */
  readonly box: string;
  /** As users type it: `1234`, or `1234_7` for array task 7. The box's own id without a scheduler. */
  readonly job: string;
  readonly user: string;
  readonly host: string;
  readonly scheduler: string;
  readonly cluster: string | null;
  readonly step: string | null;
  readonly task: string | null;
  readonly node: string | null;
  /** Queue or partition. */
  readonly queue: string | null;
  readonly restart: number;
  /** The parts that a node agent vouches for; empty without an agent. */
  readonly verified: readonly string[];
}

/** A limit in force. `unit` and `enforcement` are as in docs/messages.md, or whatever a later version writes. */
export interface ObservedLimit {
  readonly value: number | string;
  readonly hard: number | string | null;
  readonly unit: string;
  readonly enforcement: string;
  readonly source: string | null;
}

export type ObservedLimits = Readonly<Record<string, ObservedLimit>>;

/** Pressure stall information of one resource. */
export interface ObservedPressure {
  /** Percent of the last 10 s in which some task waited. */
  readonly someAvg10: number;
  /** Total time in which some task waited, in microseconds. */
  readonly someTotalUsec: number;
  /** The same for all tasks at once; null if the kernel does not tell. */
  readonly fullAvg10: number | null;
  readonly fullTotalUsec: number | null;
}

export interface ObservedProcess {
  readonly pid: number;
  readonly ppid: number | null;
  readonly name: string;
  readonly state: string | null;
  readonly threads: number | null;
  readonly rssBytes: number;
  readonly cpuSec: number | null;
}

/** One sample. Counters run from the start of the box. Null means that the box does not know. */
export interface ObservedSample {
  readonly kind: 'sample';
  /** `<box>-<sequence>`, the id of the message. */
  readonly id: string;
  readonly identity: ObservedIdentity;
  readonly sequence: number;
  /** When the sample was taken, by the clock of the box; ms since the epoch. */
  readonly atMs: number;
  readonly cause: string | null;
  readonly state: BoxState;
  /** Wall clock since the start, without suspension. */
  readonly elapsedMs: number | null;
  /** Null without a time limit. */
  readonly timeLimitMs: number | null;
  /** Whether the time counts at present. */
  readonly timerRunning: boolean;
  /** Of the whole tree since the previous sample; 100 is one core. */
  readonly cpuPercent: number;
  readonly userSec: number;
  readonly systemSec: number;
  /** Cores of the limit `cpus`; null without one. */
  readonly cpuLimitCores: number | null;
  readonly rssBytes: number;
  /** Highest `rssBytes` so far: without the page cache, which the kernel drops before a job runs out of memory. */
  readonly rssPeakBytes: number;
  readonly swapBytes: number;
  /** What counts against the memory limit: the cgroup's figure, or else `rssBytes`. */
  readonly memoryBytes: number;
  /** The part of it that the kernel cannot take back, so that it is what leads to an OOM kill; null if unknown. */
  readonly memoryHeldBytes: number | null;
  /** Highest so far, of the same figure. */
  readonly memoryPeakBytes: number;
  /** Null without a memory limit. */
  readonly memoryLimitBytes: number | null;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly readCount: number;
  readonly writeCount: number;
  /** `cgroup`: of the box alone. `host`: of the whole host. Null if there is no pressure information. */
  readonly pressureScope: 'cgroup' | 'host' | null;
  readonly pressure: Readonly<Record<'cpu' | 'memory' | 'io', ObservedPressure | null>>;
  /** Time in which the limit `cpus` held the box back. */
  readonly throttledMs: number | null;
  readonly oomKills: number | null;
  readonly processes: number;
  readonly threads: number;
  readonly stdoutBytes: number;
  /** Messages that the box gave up so far. */
  readonly dropped: number;
  readonly limits: ObservedLimits;
  /** Age of the figures that need a look at every process, such as I/O and the largest processes; 0: from this sample. */
  readonly walkAgeMs: number;
  /** The largest processes, largest first. */
  readonly largest: readonly ObservedProcess[];
}

/** An event. `body` holds the event's own keys as they came; docs/messages.md describes them. */
export interface ObservedEvent {
  readonly kind: 'event';
  readonly id: string;
  readonly identity: ObservedIdentity;
  readonly sequence: number;
  readonly atMs: number;
  readonly state: BoxState;
  /** `started`, `exited`, ..., or the name of an event that a later version has. */
  readonly event: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Observed = ObservedSample | ObservedEvent;

/** A message that is neither. `reason` belongs to a closed set, so that it can be a label of a metric. */
export interface Unreadable {
  readonly kind: 'unreadable';
  readonly reason: 'too_large' | 'not_json' | 'not_proc_box' | 'no_identity' | 'no_sequence' | 'no_time';
}

/** The end report of one box, from its `exited` event. Null means unknown. */
export interface EndReport {
  readonly identity: ObservedIdentity;
  /** When the box ended, by its own clock; ms since the epoch. */
  readonly atMs: number;
  readonly exitStatus: number | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly coreDumped: boolean;
  /** One of Reason, or `unknown` for one that a later version has. */
  readonly reason: Reason | 'unknown';
  /** The line for people; null if the exit status says everything. */
  readonly why: string | null;
  /** Who asked for the end, as docs/messages.md describes `by`. */
  readonly by: Readonly<Record<string, unknown>> | null;
  readonly elapsedMs: number;
  readonly suspendedMs: number;
  readonly userSec: number;
  readonly systemSec: number;
  readonly cpuPercent: number;
  /** What counts against the memory limit, at its highest. */
  readonly memoryPeakBytes: number;
  /** Highest resident memory, without the page cache. */
  readonly rssPeakBytes: number;
  /** False if a spike between two samples may be missing. */
  readonly memoryPeakExact: boolean;
  readonly processesPeak: number | null;
  readonly threadsPeak: number | null;
  readonly oomKills: number | null;
  readonly forksRefused: number | null;
  readonly throttledMs: number | null;
  readonly throttledPeriods: number | null;
  readonly periods: number | null;
  /** Total time in which some task of the box waited, in microseconds. */
  readonly stalledUsec: Readonly<Record<'cpu' | 'memory' | 'io', number | null>>;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly stdoutBytes: number;
  /** Each limit with its use, in the limit's unit. */
  readonly limits: Readonly<Record<string, ObservedLimit & { readonly used: number | null }>>;
  readonly dropped: number;
}

/** A remark of the report for people, such as "asked for 64 GiB, used 3.1 GiB: ask for 4 GiB". */
export interface Note {
  /** Stable name, such as `memory_unused`; terminal, page and API share it. */
  readonly code: string;
  /** `info`: good to know. `advice`: ask for less or more next time. `warning`: it has cost the job something. */
  readonly severity: 'info' | 'advice' | 'warning';
  readonly text: string;
}
