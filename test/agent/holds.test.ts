import t from 'tap';
import { Holds } from '../../src/agent/holds.js';

/** What an agent knows of the holds of a box, from its keeper. */

t.test('a hold is told once, and the total never shrinks', async (t) => {
  const holds = new Holds({ heldMs: async () => 0 });
  let told = 0;
  const watch = holds.watch(() => told++);
  t.equal(watch.suspendedMs(), 0);
  holds.heard(1_500);
  holds.heard(1_500);
  holds.heard(200);
  for (const nonsense of [Number.NaN, Number.POSITIVE_INFINITY, -1]) holds.heard(nonsense);
  t.equal(watch.suspendedMs(), 1_500);
  t.equal(told, 1);
  watch.close();
  holds.heard(3_000);
  t.equal(told, 1);
});

t.test('up to date when the keeper has answered, or is gone', async (t) => {
  let answer = Promise.resolve(4_000);
  const watch = new Holds({ heldMs: () => answer }).watch(() => {});
  await watch.upToDate?.();
  t.equal(watch.suspendedMs(), 4_000);
  answer = Promise.reject(new Error('the keeper has ended'));
  await watch.upToDate?.();
  t.equal(watch.suspendedMs(), 4_000);
});
