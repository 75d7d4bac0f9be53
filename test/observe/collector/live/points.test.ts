import t from 'tap';
import { F, FIGURES_WIDTH } from '../../../../src/observe/collector/live/figures.js';
import { Points } from '../../../../src/observe/collector/live/points.js';

const at = (atMs: number, memoryBytes = 1) => {
  const figures = new Float64Array(FIGURES_WIDTH);
  figures[F.atMs] = atMs;
  figures[F.sequence] = atMs;
  figures[F.memoryBytes] = memoryBytes;
  return figures;
};

t.test('points that are closer than the resolution become one, with the peak of memory', async (t) => {
  const points = new Points();
  for (const [ms, memory] of [
    [0, 1],
    [400, 9],
    [499, 2],
    [1_000, 3],
  ] as const)
    points.add(at(ms, memory), 500);
  t.equal(points.count, 2);
  t.equal(points.rows[F.atMs], 499);
  t.equal(points.rows[F.memoryBytes], 9);
});

t.test('points that were written are removed, and the rest stays', async (t) => {
  const points = new Points();
  for (let ms = 0; ms < 20; ms++) points.add(at(ms), 0);
  points.remove(15);
  points.add(at(20), 0);
  t.equal(points.count, 6);
  t.equal(points.rows[F.atMs], 15);
  t.equal(points.rows.at(5 * points.width + F.atMs), 20);
});
