import t from 'tap';
import { F, FIGURES_WIDTH, figuresOf, known, POINT_WIDTH } from '../../../../src/observe/collector/live/figures.js';
import { sampleOf } from '../../../fixtures/collected.js';

t.test('each figure has its place, and unknown ones are NaN', async (t) => {
  const sample = sampleOf({ box: 'b' }, 3, { Throttling: null, OOM: null });
  if (sample.kind !== 'sample') throw new Error('no sample');
  const figures = figuresOf(sample, 5);
  t.equal(figures.length, FIGURES_WIDTH);
  t.equal(Object.keys(F).length, FIGURES_WIDTH);
  t.strictSame([figures[F.sequence], figures[F.atMs]], [3, 5]);
  t.equal(Math.round(figures[F.cpuUsec]!), 6_110_000);
  t.equal(known(figures[F.throttledUsec]!), null);
  t.equal(known(figures[F.oomKills]!), null);
  t.ok(F.stdoutBytes < POINT_WIDTH && F.elapsedMs >= POINT_WIDTH);
});
