import { spawnSync } from 'node:child_process';
import { monotonicMs, Timer } from 'cgroup-utils-native';
import t from 'tap';

/** Resolves when one more timer fires, which is later than all that were due before. */
const after = (ms: number) => new Promise<void>((resolve) => new Timer(resolve).start(ms));

t.test('fires once, when it is due', async (t) => {
  let fired = 0;
  const timer = new Timer(() => fired++);
  t.notOk(timer.active);
  const began = monotonicMs();
  timer.start(30);
  t.ok(timer.active);
  await after(60);
  t.equal(fired, 1);
  t.notOk(timer.active);
  // The loop's clock has whole milliseconds.
  t.ok(monotonicMs() - began >= 59);
});

t.test('a new start replaces the one before, stop prevents it, and both can be repeated', async (t) => {
  const fired: string[] = [];
  const late = new Timer(() => fired.push('late'));
  late.start(1);
  late.start(40);
  const never = new Timer(() => fired.push('never'));
  never.start(1);
  never.stop();
  never.stop();
  await after(20);
  t.strictSame(fired, []);
  await after(40);
  t.strictSame(fired, ['late']);
});

t.test('a handler may start its own timer again', async (t) => {
  let fired = 0;
  await new Promise<void>((resolve) => {
    const timer = new Timer(() => (++fired < 3 ? timer.start(1) : resolve()));
    timer.start(0);
  });
  t.equal(fired, 3);
});

t.test('promises that a handler resolves go on before the next timer', async (t) => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    new Timer(() => void Promise.resolve().then(() => order.push('promise'))).start(1);
    new Timer(() => {
      order.push('second');
      resolve();
    }).start(1);
  });
  t.strictSame(order, ['promise', 'second']);
});

t.test('more than 2^31 ms, which Node would take as 1', async (t) => {
  let fired = false;
  const timer = new Timer(() => {
    fired = true;
  });
  timer.start(2 ** 31 + 1000);
  await after(20);
  t.notOk(fired);
  timer.stop();
});

const run = (script: string) => {
  const native = JSON.stringify(new URL('../../native/index.js', import.meta.url).pathname);
  const words = ['-e', `const { Timer } = require(${native}); ${script}`];
  const { stdout, status } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  return { stdout, status };
};

t.test('keeps the process alive, one in the background does not; what is dropped still fires', async (t) => {
  t.strictSame(run("new Timer(() => console.log('fired')).start(20); globalThis.gc?.();"), {
    stdout: 'fired\n',
    status: 0,
  });
  t.strictSame(run("new Timer(() => console.log('fired'), true).start(60_000);"), { stdout: '', status: 0 });
});

t.test('what a handler throws is an uncaught exception', async (t) => {
  t.strictSame(
    run(
      "process.on('uncaughtException', (e) => console.log(e.message)); new Timer(() => { throw new Error('x'); }).start(1);",
    ),
    { stdout: 'x\n', status: 0 },
  );
});
