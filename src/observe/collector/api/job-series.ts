import { type JobSeries, MEAN_COLUMNS, SERIES_COLUMNS, type Series, type SeriesColumn } from '../../model/api.js';

/** The time lines of the boxes of a job as one. */

/**
 * Adds up time lines on a grid of `points` equal steps. Within a step a box counts with its last point; between two points it
 * counts with the earlier one, for at most ten times its usual distance, so that a box that has gone silent does not count on.
 */
export function sumSeries(all: readonly Series[], points: number): JobSeries['sum'] {
  const times = all.flatMap(({ time_ms }) => [time_ms[0] ?? [], time_ms.at(-1) ?? []].flat());
  const columns = Object.fromEntries(SERIES_COLUMNS.map((name) => [name, [] as (number | null)[]])) as Record<
    SeriesColumn,
    (number | null)[]
  >;
  if (times.length === 0) return { thinned: false, time_ms: [], columns };
  const first = times.reduce((least, one) => Math.min(least, one));
  const last = times.reduce((most, one) => Math.max(most, one));
  const most = Math.max(
    1,
    Math.min(
      points,
      all.reduce((longest, { time_ms }) => Math.max(longest, time_ms.length), 0),
    ),
  );
  const stepMs = Math.max(1, (last - first) / most);
  const time_ms = Array.from({ length: last === first ? 1 : most }, (_, step) =>
    Math.round(first + (step + 1) * stepMs),
  );
  const cursors = all.map((series) => ({ series, index: -1, patienceMs: 10 * usualDistance(series.time_ms) + stepMs }));
  for (const time of time_ms) {
    const sums = new Map<SeriesColumn, { total: number; count: number }>();
    for (const cursor of cursors) {
      const { series } = cursor;
      while (cursor.index + 1 < series.time_ms.length && series.time_ms[cursor.index + 1]! <= time) cursor.index++;
      const at = series.time_ms[cursor.index];
      const isLast = cursor.index === series.time_ms.length - 1;
      if (at === undefined || time - at > (isLast ? stepMs : cursor.patienceMs)) continue;
      for (const name of SERIES_COLUMNS) {
        const value = series.columns[name][cursor.index];
        if (value == null) continue;
        const sum = sums.get(name) ?? { total: 0, count: 0 };
        sums.set(name, { total: sum.total + value, count: sum.count + 1 });
      }
    }
    for (const name of SERIES_COLUMNS) {
      const sum = sums.get(name);
      columns[name].push(sum === undefined ? null : MEAN_COLUMNS.has(name) ? sum.total / sum.count : sum.total);
    }
  }
  return { thinned: all.some(({ thinned }) => thinned), time_ms, columns };
}

function usualDistance(times: readonly number[]): number {
  return times.length < 2 ? 60_000 : (times.at(-1)! - times[0]!) / (times.length - 1);
}
