import t from 'tap';
import { F, POINT_WIDTH } from '../../../../src/observe/collector/live/figures.js';
import { between, joinPoints, seriesOf, thin } from '../../../../src/observe/collector/store/timeline.js';

/** A point for each second, with one core busy, and memory that grows by a byte a second. */
function points(count: number, from = 1): Float64Array {
  const rows = new Float64Array(count * POINT_WIDTH).fill(Number.NaN);
  for (let index = 0; index < count; index++) {
    const sequence = from + index;
    rows[index * POINT_WIDTH + F.sequence] = sequence;
    rows[index * POINT_WIDTH + F.atMs] = sequence * 1_000;
    rows[index * POINT_WIDTH + F.cpuUsec] = sequence * 1e6;
    rows[index * POINT_WIDTH + F.memoryBytes] = sequence;
    rows[index * POINT_WIDTH + F.writeBytes] = sequence * 10;
  }
  return rows;
}

t.test('parts are joined in the order of their numbers, each once', async (t) => {
  const joined = joinPoints([points(3, 4), points(4, 1)]);
  const sequences = Array.from({ length: joined.length / POINT_WIDTH }, (_, index) => joined[index * POINT_WIDTH]);
  t.strictSame(sequences, [1, 2, 3, 4, 5, 6]);
});

t.test('rates hold since the point before, and the first since the start', async (t) => {
  const series = seriesOf('b', points(3), 0, false);
  t.strictSame(series.columns.cpu_percent, [100, 100, 100]);
  t.strictSame(series.columns.write_bytes_per_sec, [10, 10, 10]);
  t.strictSame(series.columns.memory_bytes, [1, 2, 3]);
  t.strictSame(series.columns.throttled_percent, [null, null, null]);
  t.equal(seriesOf('b', points(3, 7), null, false).columns.cpu_percent[0], null, 'nothing is known before it');
});

t.test('thinning keeps totals and peaks', async (t) => {
  const all = points(1_000);
  all[500 * POINT_WIDTH + F.memoryBytes] = 1e9;
  const few = thin(all, 50);
  t.ok(few.length / POINT_WIDTH <= 50);
  const series = seriesOf('b', few, 0, true);
  t.equal(Math.max(...(series.columns.memory_bytes as number[])), 1e9, 'the spike is there');
  t.equal(series.sequence.at(-1), 1_000, 'and the last point');
  t.ok((series.columns.cpu_percent as number[]).every((percent) => Math.abs(percent - 100) < 0.1));
  t.equal(thin(all, 2_000), all, 'nothing to do');
});

t.test('a span of time keeps the point before it, from which rates begin', async (t) => {
  const some = between(points(10), 4_000, 6_000);
  t.strictSame(seriesOf('b', some, null, false).sequence, [3, 4, 5, 6]);
  t.equal(between(points(3), 9_000, 10_000).length / POINT_WIDTH, 1);
});
