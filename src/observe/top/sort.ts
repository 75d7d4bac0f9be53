import { jobName, type TopRow, worstPressure } from './row.js';

/** The orders of the table. Numbers begin with the largest, names with A; what is unknown comes last. */

type Value = number | string | null;

const VALUES = {
  cpu: (row) => row.cpu_percent,
  memory: (row) => row.memory,
  peak: (row) => row.memory_peak,
  limit: (row) => row.memory_limit,
  'memory-share': (row) => share(row.memory, row.memory_limit),
  read: (row) => row.read_rate,
  write: (row) => row.write_rate,
  io: (row) =>
    row.read_rate === null && row.write_rate === null ? null : (row.read_rate ?? 0) + (row.write_rate ?? 0),
  pressure: (row) => worstPressure(row)?.percent ?? null,
  time: (row) => row.used_ms,
  'time-left': (row) => (row.limit_ms === null || row.used_ms === null ? null : row.used_ms - row.limit_ms),
  processes: (row) => row.processes,
  job: jobName,
  user: (row) => row.user,
  host: (row) => row.host,
  state: (row) => row.state,
} satisfies Readonly<Record<string, (row: TopRow) => Value>>;

export type SortKey = keyof typeof VALUES;

export const SORT_KEYS = Object.keys(VALUES) as readonly SortKey[];

export function isSortKey(text: string): text is SortKey {
  return Object.hasOwn(VALUES, text);
}

const NAMES = new Intl.Collator('en', { numeric: true });

/** @returns a new list; rows that are equal keep the order of their boxes, so that they do not jump */
export function sorted(rows: readonly TopRow[], key: SortKey, reversed: boolean): TopRow[] {
  const value: (row: TopRow) => Value = VALUES[key];
  const sign = reversed ? -1 : 1;
  return rows
    .map((row) => ({ row, value: value(row) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) {
        if (a.value !== b.value) return a.value === null ? 1 : -1;
      } else {
        const order = compare(a.value, b.value);
        if (order !== 0) return sign * order;
      }
      return a.row.box < b.row.box ? -1 : 1;
    })
    .map(({ row }) => row);
}

function compare(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number' ? b - a : NAMES.compare(String(a), String(b));
}

/** Part of a limit that is used; null without one. */
export function share(used: number | null, limit: number | null): number | null {
  return used === null || limit === null || limit <= 0 ? null : used / limit;
}
