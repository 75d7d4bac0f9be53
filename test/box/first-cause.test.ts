import t from 'tap';
import { createFirstCause } from '../../src/box/first-cause.js';
import { BEGIN, type Input, step } from '../../src/box/lifecycle.js';

/** Which came first, the end of the main process or what was asked for: by their times, in whatever order they are heard of. */

const by = { via: 'signal', signal: 'SIGTERM' } as const;
const stop: Input = { type: 'stop', reason: 'stopped', by, signal: 15, graceMs: 0 };
const kill: Input = { type: 'kill', reason: 'killed', by: { via: 'amqp' }, signal: 10 };

function causeAfter(input: Input, atMs: number, endedAtMs: number, order: 'asked first' | 'ended first') {
  const cause = createFirstCause();
  const [after] = step(BEGIN, input);
  if (order === 'ended first') cause.mainEnded(endedAtMs);
  cause.stepped(BEGIN, after, atMs);
  if (order === 'asked first') cause.mainEnded(endedAtMs);
  return { cause, life: cause.of(after), after };
}

for (const order of ['asked first', 'ended first'] as const) {
  t.test(`heard of in the order "${order}"`, async (t) => {
    t.equal(causeAfter(stop, 100, 99, order).life.ending, null, 'a main process that had ended has ended by itself');
    t.match(causeAfter(stop, 99, 100, order).life.ending, { reason: 'stopped' });
    t.equal(causeAfter(kill, 100, 99, order).life.lastKill, null);
    t.match(causeAfter(kill, 99, 100, order).life.lastKill, { signal: 10 });
  });
}

t.test('output that was cut is told, also where the writer ended before the limit was seen', async (t) => {
  for (const order of ['asked first', 'ended first'] as const) {
    const { life } = causeAfter({ ...stop, reason: 'stdoutlimit', by: { via: 'limit' } }, 100, 99, order);
    t.match(life.ending, { reason: 'stdoutlimit' }, order);
  }
});

t.test('a signal counts from when the keeper has seen it, where the wrapper was late', async (t) => {
  const { cause, after } = causeAfter(stop, 105, 100, 'asked first');
  t.equal(cause.of(after).ending, null);
  cause.witnessed('SIGINT', 98);
  t.equal(cause.of(after).ending, null, 'not another signal');
  cause.witnessed('SIGTERM', 98);
  t.match(cause.of(after).ending, { reason: 'stopped' });

  const early = createFirstCause();
  early.witnessed('SIGTERM', 98);
  early.stepped(BEGIN, step(BEGIN, stop)[0], 105);
  early.mainEnded(100);
  t.match(early.of(after).ending, { reason: 'stopped' }, 'also where it is told before');

  const old = createFirstCause();
  old.witnessed('SIGTERM', 98);
  old.stepped(BEGIN, step(BEGIN, stop)[0], 9_000);
  old.mainEnded(8_000);
  t.equal(old.of(after).ending, null, 'not one of long ago');
});

t.test('what lives on after the main process may still be ended', async (t) => {
  const cause = createFirstCause();
  const [after] = step(BEGIN, stop);
  cause.stepped(BEGIN, after, 100);
  t.match(cause.of(after).ending, { reason: 'stopped' }, 'no end of the main process is told where a box lingers');
});

t.test('an end that the keeper had begun before counts from then', async (t) => {
  const { cause, after } = causeAfter({ ...stop, reason: 'timeout', by: { via: 'limit' } }, 105, 100, 'asked first');
  t.equal(cause.of(after).ending, null, 'this process was about to stop a job that had ended');
  cause.begunByKeeper(98);
  t.match(cause.of(after).ending, { reason: 'timeout' }, 'because the keeper had stopped it');
  cause.begunByKeeper(200);
  t.match(cause.of(after).ending, { reason: 'timeout' });
});
