import t from 'tap';
import { sumSeries } from '../../../../src/observe/collector/api/job-series.js';
import { SERIES_COLUMNS, type Series, type SeriesColumn } from '../../../../src/observe/model/api.js';

function series(times: readonly number[], value: number): Series {
  const columns = Object.fromEntries(SERIES_COLUMNS.map((name) => [name, times.map(() => value)])) as Record<
    SeriesColumn,
    number[]
  >;
  return { box: 'b', thinned: false, time_ms: times, sequence: times, columns };
}

t.test('amounts are added up, and shares of time averaged', async (t) => {
  const sum = sumSeries([series([0, 1_000, 2_000], 10), series([0, 1_000, 2_000], 30)], 100);
  t.equal(sum.columns.memory_bytes.at(-1), 40);
  t.equal(sum.columns.pressure_cpu_percent.at(-1), 20);
  t.equal(sum.time_ms.at(-1), 2_000);
  t.ok(SERIES_COLUMNS.every((name) => sum.columns[name].length === sum.time_ms.length));
});

t.test('a box that has ended counts no more', async (t) => {
  const times = Array.from({ length: 101 }, (_, index) => index * 1_000);
  const sum = sumSeries([series(times, 1), series(times.slice(0, 11), 5)], 100);
  t.equal(Math.max(...(sum.columns.memory_bytes as number[])), 6);
  t.equal(sum.columns.memory_bytes.at(-1), 1);
});

t.test('nothing is an empty time line', async (t) => {
  t.strictSame(sumSeries([], 10).time_ms, []);
  t.equal(sumSeries([series([5], 1)], 10).time_ms.length, 1);
});
