import t from 'tap';
import { createWatchdog, type Watched } from '../../src/box/watchdog.js';
import type { WatchedName } from '../../src/options/table/limits.js';

/** Looks at figures until there were as many looks; the timer is a real one, of at most 200 ms. */
async function watch(looks: readonly Watched[], limits: Partial<Record<WatchedName, number | 'unlimited'>>) {
  const exceeded: [string, number, number][] = [];
  const looked: [string, number][] = [];
  let at = 0;
  const done = defer();
  const dog = createWatchdog({
    look: async () => {
      const watched = looks[at++];
      if (watched === undefined) done.resolve();
      return { watched: watched ?? {}, costMs: 0 };
    },
    onExceeded: (...args) => exceeded.push(args),
    onLooked: (...args) => looked.push(args),
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
  const { exceeded, looked } = await watch([{ pids: 7, memory: 100, 'cpu-time': 6 }], { pids: 5, 'cpu-time': 5 });
  t.strictSame(exceeded, [
    ['pids', 7, 5],
    ['cpu-time', 6, 5],
  ]);
  t.equal(looked.length, 2);
  const asked: (readonly string[])[] = [];
  const { promise, resolve } = defer();
  const dog = createWatchdog({
    look: async (names) => {
      asked.push(names);
      resolve();
      return { watched: {}, costMs: 0 };
    },
    onExceeded: () => t.fail('a figure that was not measured'),
    onLooked: () => t.fail('a figure that was not measured'),
  });
  dog.watch('pids', 5);
  await promise;
  dog.stop();
  t.strictSame(asked, [['pids']]);
});

t.test('two looks never run at once, and one that fails does not stop the next', async (t) => {
  const { promise, resolve } = defer();
  let running = 0;
  let count = 0;
  const dog = createWatchdog({
    look: async () => {
      t.equal(++running, 1);
      dog.watch('memory', 10);
      await new Promise((done) => setTimeout(done, 300));
      running--;
      if (++count === 1) throw new Error('the keeper has ended');
      resolve();
      return { watched: figures(1), costMs: 0 };
    },
    onExceeded: () => {},
    onLooked: () => {},
  });
  dog.watch('memory', 10);
  await promise;
  dog.stop();
  t.equal(count, 2);
});

t.test('a limit with another value is told anew', async (t) => {
  const exceeded: number[] = [];
  const { promise, resolve } = defer();
  const dog = createWatchdog({
    look: async () => ({ watched: figures(20), costMs: 0 }),
    onExceeded: (_, __, limit) => {
      exceeded.push(limit);
      if (limit === 10) dog.watch('memory', 15);
      else resolve();
    },
    onLooked: () => {},
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
  });
  dog.watch('memory', 5);
  dog.watch('memory', 'unlimited');
  dog.stop();
  t.pass();
});
