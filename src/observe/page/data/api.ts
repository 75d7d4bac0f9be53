/** What the collector's API answers, as docs/collector-api.yaml describes it. Text in it comes from boxes and may hold anything. */

/** One box in a table. 100 percent of CPU is one core; null is unknown, or a limit that does not exist. */
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
  readonly verified: readonly string[];
  readonly executable: string | null;
  readonly state: BoxState;
  readonly silent: boolean;
  readonly started_ms: number | null;
  readonly updated_ms: number;
  readonly ended_ms: number | null;
  readonly elapsed_ms: number | null;
  readonly time_limit_ms: number | null;
  readonly cpu_percent: number;
  readonly cpu_average_percent: number | null;
  readonly cpu_limit_cores: number | null;
  readonly cpu_sec: number;
  readonly memory_bytes: number;
  readonly memory_peak_bytes: number;
  readonly memory_limit_bytes: number | null;
  readonly swap_bytes: number;
  readonly read_bytes_per_sec: number;
  readonly write_bytes_per_sec: number;
  readonly read_bytes: number;
  readonly write_bytes: number;
  readonly stdout_bytes: number;
  readonly pressure_cpu_percent: number | null;
  readonly pressure_memory_percent: number | null;
  readonly pressure_io_percent: number | null;
  readonly throttled_percent: number | null;
  readonly processes: number;
  readonly threads: number;
  readonly oom_kills: number | null;
  readonly dropped: number;
  readonly reason: string | null;
  readonly exit_status: number | null;
  readonly why: string | null;
}

export type BoxState = 'starting' | 'running' | 'suspended' | 'stopping' | 'ended';

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

/** A part of the table: the order of its rows, and those that are new or have changed. */
export interface BoxPageDelta {
  readonly at_ms: number;
  readonly matching: number;
  readonly offset: number;
  readonly totals: BoxTotals;
  readonly order: readonly string[];
  readonly rows: readonly BoxRow[];
}

export interface Note {
  readonly code: string;
  readonly severity: 'info' | 'advice' | 'warning';
  readonly text: string;
}

export interface LimitView {
  readonly value: number | string;
  readonly hard: number | string | null;
  readonly unit: string;
  readonly enforcement: string;
  readonly source: string | null;
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

export interface BoxView {
  readonly row: BoxRow;
  readonly node: string | null;
  readonly limits: Readonly<Record<string, LimitView>>;
  readonly processes: readonly ProcessView[];
  /** The `exited` event as the box published it. */
  readonly report: unknown;
  readonly missing: number;
  readonly notes: readonly Note[];
}

/** Figures of a time line; BoxRow has the same ones of now. */
export const COLUMNS = [
  'cpu_percent',
  'memory_bytes',
  'memory_limit_bytes',
  'read_bytes_per_sec',
  'write_bytes_per_sec',
  'pressure_cpu_percent',
  'pressure_memory_percent',
  'pressure_io_percent',
  'throttled_percent',
  'processes',
] as const;
export type Column = (typeof COLUMNS)[number];

export interface TimeLine {
  readonly time_ms: readonly number[];
  readonly columns: Readonly<Record<Column, readonly (number | null)[]>>;
}

export interface JobSeries {
  readonly sum: TimeLine;
}

export interface EventView {
  readonly at_ms: number;
  readonly box: string;
  readonly job: string;
  readonly user: string;
  readonly host: string;
  readonly sequence: number;
  readonly event: string;
  /** The event's own keys, as the box published them. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface JobEnd {
  readonly reason: string;
  readonly why: string | null;
  readonly exit_status: number | null;
  readonly boxes: number;
}

export interface JobView {
  readonly job: string;
  readonly cluster: string | null;
  readonly user: string;
  readonly queue: string | null;
  readonly state: 'running' | 'suspended' | 'ended';
  readonly started_ms: number | null;
  readonly ended_ms: number | null;
  readonly hosts: readonly string[];
  readonly totals: BoxTotals;
  readonly memory_peak_bytes: number;
  readonly memory_peak_sum_bytes: number;
  readonly cpu_sec: number;
  readonly cpu_efficiency_percent: number | null;
  readonly boxes: readonly BoxRow[];
  readonly boxes_total: number;
  readonly ends: readonly JobEnd[];
  readonly notes: readonly Note[];
}

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

export interface GroupView {
  readonly name: string;
  readonly totals: BoxTotals;
  readonly jobs: readonly JobRow[];
}

export interface GroupRow {
  readonly name: string;
  readonly boxes: number;
  readonly jobs: number;
  readonly cpu_percent: number;
  readonly memory_bytes: number;
  readonly memory_limit_bytes: number;
}

export interface HistoryPage {
  readonly rows: readonly BoxRow[];
  readonly next: string | null;
}

export interface WhoAmI {
  readonly user: string | null;
  readonly operator: boolean;
  readonly may_command: boolean;
  readonly auth: string;
  readonly version: string;
}

export interface CommandAnswer {
  readonly ok: boolean;
  readonly box: string;
  readonly host: string;
  readonly job: string;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface CommandResult {
  readonly outcome: 'complete' | 'waited' | 'unroutable';
  readonly answers: readonly CommandAnswer[];
}

export interface AlertView {
  readonly at_ms: number;
  readonly alert: string;
  readonly job: string;
  readonly cluster: string | null;
  readonly user: string;
  readonly host: string;
  readonly box: string;
  readonly text: string;
}

/** A path of the API with its parameters. Empty ones are left out. */
export function apiPath(
  parts: readonly string[],
  params: Readonly<Record<string, string | number | null | undefined>> = {},
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, `${value}`);
  }
  const text = query.toString();
  return `api/v1/${parts.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}
