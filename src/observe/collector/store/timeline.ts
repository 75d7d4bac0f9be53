import type { Series, SeriesColumn } from '../../model/api.js';
import { F, known, POINT_WIDTH } from '../live/figures.js';

/**
 * Time lines: from the points of chunks to the columns that a plot takes. Points hold counters from the start of the box, so that
 * merging points loses no total; rates are made here, between neighbours.
 */

/** One time line as rows of POINT_WIDTH numbers in the order of their sequence numbers, each number once. */
export function joinPoints(parts: readonly Float64Array[]): Float64Array {
  const rows = parts.flatMap((part) =>
    Array.from({ length: part.length / POINT_WIDTH }, (_, index) =>
      part.subarray(index * POINT_WIDTH, (index + 1) * POINT_WIDTH),
    ),
  );
  rows.sort((one, other) => one[F.sequence]! - other[F.sequence]!);
  const unique = rows.filter((row, index) => row[F.sequence] !== rows[index - 1]?.[F.sequence]);
  const joined = new Float64Array(unique.length * POINT_WIDTH);
  for (const [index, row] of unique.entries()) joined.set(row, index * POINT_WIDTH);
  return joined;
}

/** Points within these times, and the one before them, from which rates begin. */
export function between(points: Float64Array, fromMs: number, toMs: number): Float64Array {
  const count = points.length / POINT_WIDTH;
  const at = (index: number) => points[index * POINT_WIDTH + F.atMs]!;
  let first = 0;
  while (first < count && at(first) < fromMs) first++;
  let last = count;
  while (last > first && at(last - 1) > toMs) last--;
  return points.subarray(Math.max(0, first - 1) * POINT_WIDTH, last * POINT_WIDTH);
}

/** What is at its highest in a merged point; the rest of it is that of its last point. */
const HIGHEST = [F.memoryBytes, F.rssBytes, F.swapBytes, F.processes, F.threads];

/** Merges neighbours until there are at most `most` points, over equal spans of time. The first and last point stay. */
export function thin(points: Float64Array, most: number): Float64Array {
  const count = points.length / POINT_WIDTH;
  if (count <= most) return points;
  const firstMs = points[F.atMs]!;
  const spanMs = Math.max(1, points[(count - 1) * POINT_WIDTH + F.atMs]! - firstMs);
  const merged = new Float64Array(most * POINT_WIDTH);
  let [used, slotBefore] = [0, -1];
  for (let index = 0; index < count; index++) {
    const row = points.subarray(index * POINT_WIDTH, (index + 1) * POINT_WIDTH);
    const share = Math.min(1, Math.max(0, (row[F.atMs]! - firstMs) / spanMs));
    // The first point has a slot of its own, because rates begin there.
    const slot = index === 0 ? 0 : Math.min(most - 1, 1 + Math.floor(share * (most - 1)));
    if (slot > slotBefore) {
      merged.set(row, used++ * POINT_WIDTH);
      slotBefore = slot;
    } else mergeInto(merged.subarray((used - 1) * POINT_WIDTH, used * POINT_WIDTH), row);
  }
  return merged.subarray(0, used * POINT_WIDTH);
}

function mergeInto(into: Float64Array, row: Float64Array): void {
  const highest = HIGHEST.map((index) => Math.max(into[index]!, row[index]!));
  into.set(row);
  for (const [position, index] of HIGHEST.entries()) into[index] = highest[position]!;
}

/** Gauges: the number of a point is shown as it is. */
const GAUGES: Readonly<Partial<Record<SeriesColumn, number>>> = {
  memory_bytes: F.memoryBytes,
  rss_bytes: F.rssBytes,
  swap_bytes: F.swapBytes,
  memory_limit_bytes: F.memoryLimitBytes,
  processes: F.processes,
  threads: F.threads,
};
/** Counters: shown as their growth since the point before, by second, times a factor. */
const RATES: Readonly<Partial<Record<SeriesColumn, readonly [index: number, factor: number]>>> = {
  cpu_percent: [F.cpuUsec, 1e-4],
  read_bytes_per_sec: [F.readBytes, 1],
  write_bytes_per_sec: [F.writeBytes, 1],
  pressure_cpu_percent: [F.pressureCpuUsec, 1e-4],
  pressure_memory_percent: [F.pressureMemoryUsec, 1e-4],
  pressure_io_percent: [F.pressureIoUsec, 1e-4],
  throttled_percent: [F.throttledUsec, 1e-4],
  stdout_bytes_per_sec: [F.stdoutBytes, 1],
};

/**
 * @param points at most as many as wanted
 * @param startedMs of the box, if the time line begins there: all counters were 0 then
 */
export function seriesOf(box: string, points: Float64Array, startedMs: number | null, thinned: boolean): Series {
  const count = points.length / POINT_WIDTH;
  const at = (row: number, index: number) => points[row * POINT_WIDTH + index]!;
  const column = (index: number) => Array.from({ length: count }, (_, row) => at(row, index));
  const rate = ([index, factor]: readonly [number, number]) =>
    Array.from({ length: count }, (_, row) => {
      const [beforeMs, before] = row > 0 ? [at(row - 1, F.atMs), at(row - 1, index)] : [startedMs ?? Number.NaN, 0];
      const seconds = (at(row, F.atMs) - beforeMs) / 1e3;
      const value = seconds > 0 ? Math.max(0, ((at(row, index) - before) / seconds) * factor) : Number.NaN;
      return rounded(value);
    });
  const columns = {} as Record<SeriesColumn, (number | null)[]>;
  for (const [name, index] of Object.entries(GAUGES)) columns[name as SeriesColumn] = column(index).map(known);
  for (const [name, way] of Object.entries(RATES)) columns[name as SeriesColumn] = rate(way);
  return { box, thinned, time_ms: column(F.atMs), sequence: column(F.sequence), columns };
}

function rounded(value: number): number | null {
  return Number.isNaN(value) ? null : Math.round(value * 100) / 100;
}
