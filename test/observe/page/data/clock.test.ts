import t from 'tap';
import { clock, when } from '../../../../src/observe/page/data/clock.js';

const noon = new Date(2026, 10, 30, 12, 3, 9).getTime();

t.test('a time of day, and a date where that is not enough', async (t) => {
  t.equal(clock(noon), '12:03:09');
  t.equal(when(noon, noon + 3_600_000), '12:03:09');
  t.equal(when(noon, noon + 86_400_000), '30 Nov 12:03');
  t.equal(when(noon, noon + 200 * 86_400_000), '30 Nov 2026');
  t.equal(when(null, noon), '–');
  t.equal(when(Number.NaN, noon), '–');
});

t.test('ticks of an axis are as exact as they are dense', async (t) => {
  const ticks = (stepSec: number) => [0, 1, 2].map((index) => noon / 1000 + index * stepSec);
  t.equal(clock(noon, ticks(10)), '12:03:09');
  t.equal(clock(noon, ticks(600)), '12:03');
  t.equal(clock(noon, ticks(86_400)), '30 Nov 12:03');
  t.equal(clock(noon, []), '12:03');
});
