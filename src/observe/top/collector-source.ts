import type { BoxRow } from '../model/api.js';
import { amountAt, type Fields, isFields, listAt, nameAt, objectAt } from '../model/fields.js';
import { readLimits } from '../model/nested.js';
import type { ObservedProcess, ObservedSample } from '../model/observed.js';
import { readIdentity } from '../model/parse.js';
import type { Collector } from '../source/collector.js';
import type { Filter } from '../source/filter.js';
import type { TopRow } from './row.js';
import type { SortKey } from './sort.js';
import type { TopSource } from './top.js';
import type { Tracked } from './tracked.js';

/** Rows from a collector, which sorts and filters: only those that may come into sight are fetched. */

/** Rows that are fetched; more than any screen shows at once. */
const ROWS = 500;
const ROWS_MAX = 100_000;

const ORDERS: Readonly<Record<SortKey, string>> = {
  cpu: '-cpu_percent',
  memory: '-memory_bytes',
  peak: '-memory_peak_bytes',
  limit: '-memory_bytes',
  'memory-share': '-memory_percent',
  read: '-read_bytes_per_sec',
  write: '-write_bytes_per_sec',
  io: '-read_bytes_per_sec',
  pressure: '-pressure_memory_percent',
  time: '-elapsed_ms',
  'time-left': '-time_percent',
  processes: '-processes',
  job: 'job',
  user: 'user',
  host: 'host',
  state: 'state',
};

type Wanted = { readonly sort: SortKey; readonly reversed: boolean; readonly filters: readonly Filter[] };

export class CollectorSource implements TopSource {
  readonly #collector: Collector;
  readonly #refreshMs: number;
  #wanted: Wanted;
  #rows: readonly TopRow[] = [];
  #others = 0;
  #views = new Map<string, Tracked>();
  #failure: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(collector: Collector, refreshMs: number, wanted: Wanted) {
    this.#collector = collector;
    this.#refreshMs = refreshMs;
    this.#wanted = wanted;
  }

  /** @throws EnvironmentError if the collector does not answer */
  async open(): Promise<void> {
    await this.#fetch();
    this.#later();
  }

  /** Every row, in parts. @throws EnvironmentError */
  async all(): Promise<readonly TopRow[]> {
    const rows: TopRow[] = [];
    while (rows.length < ROWS_MAX) {
      const page = await this.#page(rows.length);
      rows.push(...page.rows);
      if (page.rows.length === 0 || rows.length >= page.matching) break;
    }
    return rows;
  }

  want(sort: SortKey, reversed: boolean, filters: readonly Filter[]): void {
    this.#wanted = { sort, reversed, filters };
  }

  rows(): readonly TopRow[] {
    return this.#rows;
  }

  details(row: TopRow): Tracked | undefined {
    void this.#look(row.box);
    return this.#views.get(row.box);
  }

  state(): { readonly text: string; readonly isError: boolean } {
    if (this.#failure !== undefined) return { text: `${this.#failure}; trying again`, isError: true };
    const others = this.#others > 0 ? `, ${this.#others} more boxes below these` : '';
    return { text: `from ${this.#collector.shown}${others}`, isError: false };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #later(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#again(), this.#refreshMs);
  }

  async #again(): Promise<void> {
    try {
      await this.#fetch();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = (error as Error).message;
    }
    this.#later();
  }

  async #fetch(): Promise<void> {
    const { rows, matching } = await this.#page(0);
    this.#rows = rows;
    this.#others = Math.max(0, matching - rows.length);
  }

  async #page(offset: number): Promise<{ readonly rows: readonly TopRow[]; readonly matching: number }> {
    const { sort, reversed, filters } = this.#wanted;
    const order = ORDERS[sort];
    const page = objectAt(
      await this.#collector.get('/boxes', {
        sort: reversed ? (order.startsWith('-') ? order.slice(1) : `-${order}`) : order,
        limit: `${ROWS}`,
        offset: `${offset}`,
        user: exactly(filters, 'user'),
        job: exactly(filters, 'job'),
      }),
    );
    const atMs = amountAt(page['at_ms']) ?? Date.now();
    return {
      rows: listAt(page['rows'], ROWS).flatMap((row) => rowOfApi(row, atMs)),
      matching: amountAt(page['matching']) ?? 0,
    };
  }

  async #look(box: string): Promise<void> {
    try {
      const view = objectAt(await this.#collector.get(`/boxes/${encodeURIComponent(box)}`));
      const tracked = trackedOf(view);
      this.#views = tracked === null ? new Map() : new Map([[box, tracked]]);
    } catch {
      // EnvironmentError: the box has gone, or the link has; `state` tells of that.
    }
  }
}

/** What a filter asks for exactly, which the collector can look for itself. */
function exactly(filters: readonly Filter[], key: 'user' | 'job'): string | undefined {
  const values = filters.flatMap(({ keys }) => (keys.get(key)?.length === 1 ? keys.get(key)! : []));
  return values.length === 1 && !values[0]!.includes('*') ? values[0] : undefined;
}

/** @returns no row for what is none */
export function rowOfApi(value: unknown, atMs: number): TopRow[] {
  const identity = readIdentity(value);
  if (!isFields(value) || identity === null) return [];
  const row = value as Fields & { readonly [Key in keyof BoxRow]?: unknown };
  const { box, job, step, task, user, host, cluster, queue } = identity;
  const amount = (key: keyof BoxRow) => amountAt(row[key]);
  return [
    {
      box,
      job,
      step,
      task,
      user,
      host,
      cluster,
      queue,
      state: row.silent === true ? 'silent' : (nameAt(row.state) ?? 'unknown'),
      cpu_percent: amount('cpu_percent'),
      cpu_limit: amount('cpu_limit_cores'),
      memory: amount('memory_bytes'),
      memory_peak: amount('memory_peak_bytes'),
      memory_limit: amount('memory_limit_bytes'),
      read_rate: amount('read_bytes_per_sec'),
      write_rate: amount('write_bytes_per_sec'),
      pressure_cpu: amount('pressure_cpu_percent'),
      pressure_memory: amount('pressure_memory_percent'),
      pressure_io: amount('pressure_io_percent'),
      used_ms: amount('elapsed_ms'),
      limit_ms: amount('time_limit_ms'),
      processes: amount('processes'),
      oom_kills: amount('oom_kills'),
      throttled_ms: null,
      command: nameAt(row.executable),
      age_ms: Math.max(0, atMs - (amount('updated_ms') ?? atMs)),
    },
  ];
}

/** @param view of one box, with its limits and processes */
function trackedOf(view: Fields): Tracked | null {
  const row = objectAt(view['row']);
  const identity = readIdentity({ ...row, node: view['node'] });
  if (identity === null) return null;
  const amount = (key: keyof BoxRow) => amountAt(row[key]) ?? 0;
  const sample: ObservedSample = {
    kind: 'sample',
    id: identity.box,
    identity,
    sequence: 1,
    atMs: amount('updated_ms'),
    cause: null,
    state: 'running',
    elapsedMs: amountAt(row['elapsed_ms']),
    timeLimitMs: amountAt(row['time_limit_ms']),
    timerRunning: false,
    cpuPercent: amount('cpu_percent'),
    userSec: amount('cpu_sec'),
    systemSec: 0,
    cpuLimitCores: amountAt(row['cpu_limit_cores']),
    rssBytes: amount('memory_bytes'),
    rssPeakBytes: amount('memory_peak_bytes'),
    swapBytes: amount('swap_bytes'),
    memoryBytes: amount('memory_bytes'),
    memoryHeldBytes: amount('memory_bytes'),
    memoryPeakBytes: amount('memory_peak_bytes'),
    memoryLimitBytes: amountAt(row['memory_limit_bytes']),
    readBytes: amount('read_bytes'),
    writeBytes: amount('write_bytes'),
    readCount: 0,
    writeCount: 0,
    pressureScope: null,
    pressure: { cpu: null, memory: null, io: null },
    throttledMs: null,
    oomKills: amountAt(row['oom_kills']),
    processes: amount('processes'),
    threads: amount('threads'),
    stdoutBytes: amount('stdout_bytes'),
    dropped: amount('dropped'),
    limits: readLimits(view['limits']),
    walkAgeMs: 0,
    largest: listAt(view['processes'], 64).flatMap(processOf),
  };
  return {
    identity,
    state: nameAt(row['state']) ?? 'unknown',
    sequence: 1,
    heardMs: 0,
    sample,
    sampledMs: 0,
    readRate: amountAt(row['read_bytes_per_sec']),
    writeRate: amountAt(row['write_bytes_per_sec']),
    command: nameAt(row['executable']),
    intervalMs: null,
  };
}

function processOf(value: unknown): ObservedProcess[] {
  const fields = objectAt(value);
  const pid = amountAt(fields['pid']);
  const name = nameAt(fields['name']);
  if (pid === null || name === null) return [];
  return [
    {
      pid,
      ppid: amountAt(fields['ppid']),
      name,
      state: nameAt(fields['state']),
      threads: amountAt(fields['threads']),
      rssBytes: amountAt(fields['rss_bytes']) ?? 0,
      cpuSec: amountAt(fields['cpu_sec']),
    },
  ];
}
