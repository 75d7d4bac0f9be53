import t from 'tap';
import { createNearWatch, type NearWatchOptions } from '../../src/box/near-watch.js';
import type { CountedName } from '../../src/options/table/limits.js';

interface Watched extends Partial<NearWatchOptions> {
  /** Called at each look; the test is over when it returns true. */
  readonly looked: (name: CountedName, count: number) => boolean;
}

/** Looks at one limit until `looked` says that it is enough; then what was told. The timer is a real one, of 100 ms. */
async function watch(name: CountedName, { looked, ...more }: Watched) {
  const told: [string, number][] = [];
  await new Promise<void>((resolve) => {
    // The timer of a watch is in the background.
    const alive = setInterval(() => {}, 1000);
    let count = 0;
    const one = createNearWatch({
      charged: async () => 0,
      busyMemory: async () => null,
      onUsed: (of, used) => told.push([of, used]),
      ...more,
      next: (of) => {
        if (looked(of, ++count)) {
          setImmediate(() => {
            one.stop();
            clearInterval(alive);
            resolve();
          });
        }
        return (more.next ?? (() => 10))(of);
      },
    });
    one.watch(name);
  });
  return told;
}

const once = () => true;

t.test('a threshold that is reached is told', async (t) => {
  t.strictSame(await watch('pids', { charged: async () => 12, looked: once }), [['pids', 12]]);
  t.strictSame(await watch('pids', { charged: async () => 9, looked: once }), []);
  t.strictSame(await watch('pids', { charged: async () => null, looked: once }), [], 'a file that cannot be read');
});

t.test('page cache is taken off only where all of the memory would be near', async (t) => {
  let asked = 0;
  const busy = (bytes: number | null) => async () => {
    asked++;
    return bytes;
  };
  t.strictSame(await watch('memory', { charged: async () => 9, busyMemory: busy(1), looked: once }), []);
  t.equal(asked, 0);
  t.strictSame(await watch('memory', { charged: async () => 12, busyMemory: busy(11), looked: once }), [
    ['memory', 11],
  ]);
  t.strictSame(await watch('memory', { charged: async () => 12, busyMemory: busy(3), looked: once }), []);
  t.strictSame(await watch('memory', { charged: async () => 12, busyMemory: busy(null), looked: once }), [
    ['memory', 12],
  ]);
  t.equal(asked, 3);
});

t.test('it looks again while there is a threshold, and no more after the last', async (t) => {
  const thresholds: (number | null)[] = [10, 10, 10, 10, null];
  const counts: number[] = [];
  const told = await watch('pids', {
    charged: async () => 10,
    next: () => thresholds.shift() ?? null,
    looked: (_, count) => counts.push(count) === 5,
  });
  t.strictSame(told, [
    ['pids', 10],
    ['pids', 10],
  ]);
});
