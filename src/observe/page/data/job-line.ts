/** The time line that a job's screen shows: what the collector has, then what its rows say while somebody looks. */
import { type BoxRow, MEAN_COLUMNS } from '../../model/api.js';
import { COLUMNS, type Column, type TimeLine } from './api.js';
import { createSeries, type Merge, type Series } from './series.js';

/** Points of one screen at most; uPlot draws them in a few ms, and they take some 100 kB. */
export const POINTS_MAX = 1500;

const LEVELS: ReadonlySet<Column> = new Set<Column>(['memory_bytes', 'memory_limit_bytes', 'processes']);
const MERGES: readonly Merge[] = COLUMNS.map((column) => (LEVELS.has(column) ? 'most' : 'mean'));

export function createJobLine(line: TimeLine | null): Series {
  const series = createSeries(MERGES, POINTS_MAX);
  for (const [index, ms] of (line?.time_ms ?? []).entries()) {
    series.add(
      ms / 1000,
      COLUMNS.map((column) => line?.columns[column]?.[index] ?? null),
    );
  }
  return series;
}

/** Adds what boxes use now. Boxes that have ended use nothing. */
export function addNow(series: Series, rows: Iterable<BoxRow>): void {
  const live = [...rows].filter(({ state }) => state !== 'ended');
  const newest = live.reduce((latest, row) => Math.max(latest, row.updated_ms), Number.NEGATIVE_INFINITY);
  if (live.length > 0)
    series.add(
      newest / 1000,
      COLUMNS.map((column) => together(column, live)),
    );
}

function together(column: Column, rows: readonly BoxRow[]): number | null {
  const values = rows.map((row) => row[column]).filter((value) => value !== null);
  if (values.length === 0) return null;
  // A sum of some limits would look like the limit of all.
  if (column === 'memory_limit_bytes' && values.length < rows.length) return null;
  const sum = values.reduce((total, value) => total + value, 0);
  return MEAN_COLUMNS.has(column) ? sum / values.length : sum;
}
