import fc from 'fast-check';
import t from 'tap';
import { createSeries } from '../../../../src/observe/page/data/series.js';

t.test('a full time line keeps every second point of its older half', async (t) => {
  const series = createSeries(['mean', 'most'], 8);
  for (let time = 1; time <= 9; time++) series.add(time, [time, time % 2 === 0 ? 100 : null]);
  t.strictSame(series.times, [2, 4, 5, 6, 7, 8, 9]);
  t.strictSame(series.columns[0], [1.5, 3.5, 5, 6, 7, 8, 9], 'a rate is averaged');
  t.strictSame(series.columns[1], [100, 100, null, 100, null, 100, null], 'a level keeps its highest');
});

t.test('a point that comes twice or too late counts once', async (t) => {
  const series = createSeries(['mean'], 8);
  for (const time of [1, 1, 0.5, 2, Number.NaN]) series.add(time, [time]);
  t.strictSame(series.times, [1, 2]);
  series.add(3, []);
  t.strictSame(series.columns, [[1, 2, null]], 'a value that is missing is not known');
});

t.test('an hour and a year of updates take the same room', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 50 }), fc.nat(2000), (most, points) => {
        const series = createSeries(['mean'], most);
        for (let time = 0; time < points; time++) series.add(time, [1]);
        const rising = series.times.every((time, index) => index === 0 || time > (series.times[index - 1] as number));
        return series.times.length <= most && series.columns[0]?.length === series.times.length && rising;
      }),
    ),
  );
});
