import t from 'tap';
import { nodeTimes } from '../../src/node-link/node-times.js';

t.test('a link of a node is patient, and its waits grow', async (t) => {
  const times = nodeTimes();
  t.strictSame(
    [1, 2, 3, 4, 9].map((rounds) => times.waitMs(rounds, false)),
    [1_500, 5_000, 15_000, 60_000, 60_000],
  );
  t.strictSame([times.attemptMs(0), times.attemptMs(3), times.readyMs], [30_000, 30_000, 60_000]);
  t.equal(nodeTimes([7]).waitMs(4, true), 7);
});
