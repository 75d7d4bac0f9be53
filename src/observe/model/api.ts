import type { BoxState } from '../../model/types.js';
import type { Note, ObservedLimits } from './observed.js';

/**
 * The JSON of the collector's API, version 1, as docs/collector-api.yaml describes it. The page and the terminal tools build on
 * these types. Keys are snake_case and units come last, as in events. Times are ms since the epoch.
 */

/** Path below which the API lives. */
export const API_PREFIX = '/api/v1';

/** `GET /whoami` */
export interface WhoAmI {
  /** Null if the collector does not know who asks (`--auth none`). */
  readonly user: string | null;
  /** Whether the user sees the boxes of all users. */
  readonly operator: boolean;
  /** Whether the user may send commands to the boxes that they see. */
  readonly may_command: boolean;
  readonly auth: 'token' | 'proxy' | 'none' | 'socket';
  readonly version: string;
}

/** One box in a table. Null means unknown or absent. */
export interface BoxRow {
  readonly box: string;
  readonly job: string;
  readonly user: string;
  readonly host: string;
  readonly scheduler: string;
  readonly cluster: string | null;
  readonly step: string | null;
  readonly task: string | null;
  readonly queue: string | null;
  readonly restart: number;
  /** The parts of the identity that a node agent vouches for. */
  readonly verified: readonly string[];
  /** The first word of the command. */
  readonly executable: string | null;
  readonly state: BoxState;
  /** No message has come for much longer than the box's interval, although it has not ended. */
  readonly silent: boolean;
  readonly started_ms: number | null;
  /** Of the latest message, by the clock of the box. */
  readonly updated_ms: number;
  readonly ended_ms: number | null;
  readonly elapsed_ms: number | null;
  readonly time_limit_ms: number | null;
  /** 100 is one core. */
  readonly cpu_percent: number;
  /** From the start: CPU time over elapsed time; 100 is one core. */
  readonly cpu_average_percent: number | null;
  readonly cpu_limit_cores: number | null;
  readonly cpu_sec: number;
  /** What counts against the memory limit. */
  readonly memory_bytes: number;
  readonly memory_peak_bytes: number;
  readonly memory_limit_bytes: number | null;
  readonly swap_bytes: number;
  /** Since the previous sample. */
  readonly read_bytes_per_sec: number;
  readonly write_bytes_per_sec: number;
  /** From the start. */
  readonly read_bytes: number;
  readonly write_bytes: number;
  readonly stdout_bytes: number;
  /** Percent of the time in which some task of the box waited, over 10 s. */
  readonly pressure_cpu_percent: number | null;
  readonly pressure_memory_percent: number | null;
  readonly pressure_io_percent: number | null;
  /** `host`: the pressure is that of the whole host, other jobs included. */
  readonly pressure_scope: 'cgroup' | 'host' | null;
  /** Percent of the time since the previous sample in which the limit `cpus` held the box back. */
  readonly throttled_percent: number | null;
  readonly processes: number;
  readonly threads: number;
  readonly oom_kills: number | null;
  /** Messages that the box has given up. */
  readonly dropped: number;
  /** Of an ended box. */
  readonly reason: string | null;
  readonly exit_status: number | null;
  readonly why: string | null;
}

/** Keys of BoxRow by which a table can be sorted. */
export const SORT_KEYS = [
  'job',
  'user',
  'host',
  'state',
  'started_ms',
  'updated_ms',
  'elapsed_ms',
  'cpu_percent',
  'cpu_average_percent',
  'memory_bytes',
  'memory_peak_bytes',
  'memory_percent',
  'read_bytes_per_sec',
  'write_bytes_per_sec',
  'pressure_cpu_percent',
  'pressure_memory_percent',
  'pressure_io_percent',
  'throttled_percent',
  'processes',
  'oom_kills',
  'time_percent',
] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** Sums over the boxes that match. */
export interface BoxTotals {
  readonly boxes: number;
  readonly jobs: number;
  readonly users: number;
  readonly hosts: number;
  readonly by_state: Readonly<Record<string, number>>;
  readonly silent: number;
  readonly cpu_percent: number;
  readonly memory_bytes: number;
  readonly memory_limit_bytes: number;
  readonly read_bytes_per_sec: number;
  readonly write_bytes_per_sec: number;
  readonly processes: number;
}

/** `GET /boxes`: a part of the table of boxes that run or have ended within the last minutes. */
export interface BoxPage {
  readonly at_ms: number;
  /** Boxes that match. */
  readonly matching: number;
  readonly offset: number;
  readonly totals: BoxTotals;
  readonly rows: readonly BoxRow[];
}

/** Event `page` of `GET /boxes/stream`. The first has every row; later ones have those that are new or have changed. */
export interface BoxPageDelta {
  readonly at_ms: number;
  readonly matching: number;
  readonly offset: number;
  readonly totals: BoxTotals;
  /** The boxes of the page in their order. Drop the rows of all others. */
  readonly order: readonly string[];
  readonly rows: readonly BoxRow[];
}

/** `GET /boxes/{box}` */
export interface BoxView {
  readonly row: BoxRow;
  readonly node: string | null;
  /** By name. */
  readonly limits: ObservedLimits;
  /** The largest processes of the last sample; empty for a box that has ended some time ago. */
  readonly processes: readonly ProcessView[];
  /** The `exited` event as the box sent it; null while it runs. */
  readonly report: Readonly<Record<string, unknown>> | null;
  /** Messages in the store: each counts once. */
  readonly samples: number;
  readonly events: number;
  /** Sequence numbers up to the highest that have not come, or not yet. */
  readonly missing: number;
  readonly notes: readonly Note[];
}

export interface ProcessView {
  readonly pid: number;
  readonly ppid: number | null;
  readonly name: string;
  readonly state: string | null;
  readonly threads: number | null;
  readonly rss_bytes: number;
  readonly cpu_sec: number | null;
}

/** The columns of a time line. Rates and percentages hold for the time since the previous point. */
export const SERIES_COLUMNS = [
  'cpu_percent',
  'memory_bytes',
  'rss_bytes',
  'swap_bytes',
  'memory_limit_bytes',
  'read_bytes_per_sec',
  'write_bytes_per_sec',
  'pressure_cpu_percent',
  'pressure_memory_percent',
  'pressure_io_percent',
  'throttled_percent',
  'processes',
  'threads',
  'stdout_bytes_per_sec',
] as const;
export type SeriesColumn = (typeof SERIES_COLUMNS)[number];

/** Of these a job has the mean of its boxes, because a sum of percentages of time means nothing; of all others the sum. */
export const MEAN_COLUMNS: ReadonlySet<SeriesColumn> = new Set([
  'pressure_cpu_percent',
  'pressure_memory_percent',
  'pressure_io_percent',
  'throttled_percent',
]);

/** `GET /boxes/{box}/series`: columns of equal length, as uPlot takes them. */
export interface Series {
  readonly box: string;
  /** Whether points were merged, because the query asked for fewer or the box's time line was thinned. */
  readonly thinned: boolean;
  readonly time_ms: readonly number[];
  /** Sequence numbers of the samples; of merged points the last one. */
  readonly sequence: readonly number[];
  readonly columns: Readonly<Record<SeriesColumn, readonly (number | null)[]>>;
}

/** `GET /jobs/{job}/series` */
export interface JobSeries {
  readonly job: string;
  /** Sums over all boxes (means for percentages of pressure), on a common grid of times. */
  readonly sum: Omit<Series, 'box' | 'sequence'>;
  /** The boxes one by one, at most `boxes` of them, those with the most memory first. */
  readonly boxes: readonly Series[];
}

/** An event as it was published (docs/messages.md), with the time when it happened. */
export interface EventView {
  readonly at_ms: number;
  readonly box: string;
  readonly job: string;
  readonly user: string;
  readonly host: string;
  readonly sequence: number;
  readonly event: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** `GET /jobs/{job}`: all boxes of a job: hosts, steps, tasks; with an array's own id, those of all its tasks. */
export interface JobView {
  readonly job: string;
  readonly cluster: string | null;
  readonly user: string;
  readonly queue: string | null;
  /** `running` as long as any box has not ended. */
  readonly state: 'running' | 'suspended' | 'ended';
  readonly started_ms: number | null;
  readonly ended_ms: number | null;
  readonly hosts: readonly string[];
  readonly totals: BoxTotals;
  /** Highest use of one box, and the sum of the peaks of all. */
  readonly memory_peak_bytes: number;
  readonly memory_peak_sum_bytes: number;
  readonly cpu_sec: number;
  /** CPU time over what the limits on CPUs would have given; null without such limits. */
  readonly cpu_efficiency_percent: number | null;
  readonly boxes: readonly BoxRow[];
  /** Boxes beyond the first 5,000 are counted but not listed. */
  readonly boxes_total: number;
  /** Why it ended, in one line for each different end. */
  readonly ends: readonly {
    readonly reason: string;
    readonly why: string | null;
    readonly exit_status: number | null;
    readonly boxes: number;
  }[];
  /** What to ask for next time. */
  readonly notes: readonly Note[];
}

/** One job in a list. */
export interface JobRow {
  readonly job: string;
  readonly cluster: string | null;
  readonly user: string;
  readonly queue: string | null;
  readonly boxes: number;
  readonly running: number;
  readonly hosts: number;
  readonly started_ms: number | null;
  readonly ended_ms: number | null;
  readonly cpu_percent: number;
  readonly memory_bytes: number;
  readonly memory_peak_bytes: number;
  readonly memory_limit_bytes: number | null;
  readonly reasons: readonly string[];
}

/** `GET /users/{user}` and `GET /hosts/{host}` */
export interface GroupView {
  readonly name: string;
  readonly totals: BoxTotals;
  /** Jobs that run or ended within the last minutes, the largest memory first; at most 500. */
  readonly jobs: readonly JobRow[];
}

/** `GET /users` and `GET /hosts` */
export interface GroupRow {
  readonly name: string;
  readonly boxes: number;
  readonly jobs: number;
  readonly cpu_percent: number;
  readonly memory_bytes: number;
  readonly memory_limit_bytes: number;
}

/** `GET /history`: boxes of the store, the latest first. */
export interface HistoryPage {
  readonly rows: readonly BoxRow[];
  /** Cursor of the next page; null at the end. */
  readonly next: string | null;
}

/** `POST /commands` */
export interface CommandRequest {
  readonly command: string;
  readonly arguments?: readonly string[];
  /** At least one key. Only boxes that the user sees are reached. */
  readonly target: {
    readonly box?: string;
    readonly job?: string;
    readonly cluster?: string;
    readonly user?: string;
    readonly host?: string;
    readonly step?: string;
    readonly task?: string;
  };
}

export interface CommandResult {
  readonly id: string;
  /** `unroutable`: no box listens there. `waited`: the wait is over, and not every box has answered. */
  readonly outcome: 'complete' | 'waited' | 'unroutable';
  readonly answers: readonly CommandAnswer[];
}

export interface CommandAnswer {
  readonly ok: boolean;
  readonly box: string;
  readonly host: string;
  readonly job: string;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** `GET /commands`: the audit trail of commands that went through the collector, the latest first. */
export interface CommandRecord {
  readonly id: string;
  readonly at_ms: number;
  readonly user: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly target: Readonly<Record<string, string>>;
  /** `refused`: the user may not. `failed`: the broker could not be used. */
  readonly outcome: CommandResult['outcome'] | 'refused' | 'failed' | 'sending';
  readonly answers: number;
  readonly refused: number;
}

/** `GET /alerts`, the latest first. */
export interface AlertView {
  readonly at_ms: number;
  readonly alert: 'memory_near_limit' | 'oom' | 'cpu_idle' | 'box_silent' | 'messages_lost' | 'time_nearly_over';
  readonly job: string;
  readonly cluster: string | null;
  readonly user: string;
  readonly host: string;
  readonly box: string;
  readonly text: string;
}

/** Body of every answer with a status from 400: RFC 9457. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  /** What to do about it. */
  readonly detail: string;
}
