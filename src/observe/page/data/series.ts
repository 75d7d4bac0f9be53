/** A time line of bounded length: when it is full, its older half keeps every second point. */

/** How two points become one: a rate is averaged, a level keeps its highest. */
export type Merge = 'mean' | 'most';

type Values = readonly (number | null)[];

export interface Series {
  /** Seconds since the epoch, rising. */
  readonly times: readonly number[];
  /** For each column a value per time; null where it is not known. */
  readonly columns: readonly Values[];
  /** Adds a point. One that is not newer than the last is left out: a point that came by two ways counts once. */
  add(time: number, values: Values): void;
}

/** @param most points that are kept at most; at least 4 */
export function createSeries(merges: readonly Merge[], most: number): Series {
  let times: number[] = [];
  let columns: (number | null)[][] = merges.map(() => []);
  const thin = () => {
    const half = Math.floor(times.length / 4) * 2;
    const firsts = Array.from({ length: half / 2 }, (_, index) => index * 2);
    times = [...firsts.map((index) => times[index + 1] as number), ...times.slice(half)];
    columns = columns.map((column, number) => [
      ...firsts.map((index) => merged(merges[number] as Merge, column[index] ?? null, column[index + 1] ?? null)),
      ...column.slice(half),
    ]);
  };
  return {
    get times() {
      return times;
    },
    get columns() {
      return columns;
    },
    add(time, values) {
      if (!Number.isFinite(time) || time <= (times.at(-1) ?? Number.NEGATIVE_INFINITY)) return;
      if (times.length >= most) thin();
      times.push(time);
      for (const [number, column] of columns.entries()) column.push(values[number] ?? null);
    },
  };
}

function merged(merge: Merge, one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return merge === 'mean' ? (one + other) / 2 : Math.max(one, other);
}
