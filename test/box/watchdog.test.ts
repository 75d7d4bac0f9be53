import t from 'tap';
import { createWatchdog, type Watched } from '../../src/box/watchdog.js';
import type { WatchedName } from '../../src/options/table/limits.js';

/** Looks at figures until there were as many looks; the timer is a real one, of 200 ms. */
async function watch(looks: readonly Watched[], limits: Partial<Record<WatchedName, number | 'unlimited'>>) {
  const exceeded: [string, number, number][] = [];
  const looked: [string, number][] = [];
  let at = 0;
  const done = defer();
  const dog = createWatchdog({
    look: () => looks[at++]!,
    onExceeded: (...args) => exceeded.push(args),
    onLooked: (...args) => looked.push(args),
    now: () => {
      // Asked before and after each look.
      if (at >= looks.length) done.resolve();
      return 0;
    },
  });
  for (const [name, limit] of Object.entries(limits)) dog.watch(name as WatchedName, limit);
  await done.promise;
  dog.stop();
  return { exceeded, looked };
}

function defer() {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const figures = (memory: number, pids = 1): Watched => ({ memory, pids, 'cpu-time': 5 });

t.test('a limit that was passed is told once, and every look at it', async (t) => {
  const { exceeded, looked } = await watch([figures(10), figures(11), figures(12)], { memory: 10 });
  t.strictSame(exceeded, [['memory', 11, 10]]);
  t.strictSame(looked, [
    ['memory', 10],
    ['memory', 11],
    ['memory', 12],
  ]);
});

t.test('only what is watched is looked at', async (t) => {
  const look = {
    pids: 7,
    get memory(): number {
      throw new Error('a walk');
    },
    'cpu-time': 6,
  };
  const { exceeded, looked } = await watch([look], { pids: 5, 'cpu-time': 5 });
  t.strictSame(exceeded, [
    ['pids', 7, 5],
    ['cpu-time', 6, 5],
  ]);
  t.equal(looked.length, 2);
});

t.test('a limit with another value is told anew', async (t) => {
  const exceeded: number[] = [];
  const { promise, resolve } = defer();
  const dog = createWatchdog({
    look: () => figures(20),
    onExceeded: (_, __, limit) => {
      exceeded.push(limit);
      if (limit === 10) dog.watch('memory', 15);
      else resolve();
    },
    onLooked: () => {},
    now: () => 0,
  });
  dog.watch('memory', 10);
  await promise;
  t.strictSame(exceeded, [10, 15]);
  dog.watch('memory', 'unlimited');
});

t.test('without a limit it holds up nothing', async (t) => {
  const dog = createWatchdog({
    look: () => t.fail('nobody looks') as never,
    onExceeded: () => {},
    onLooked: () => {},
    now: () => 0,
  });
  dog.watch('memory', 5);
  dog.watch('memory', 'unlimited');
  dog.stop();
  t.pass();
});
