import t, { type Test } from 'tap';
import { type Limits, timeoutStatus } from '../../src/box/limits.js';
import { createNear } from '../../src/box/near.js';
import { createTimeLimit } from '../../src/box/time-limit.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { livingBox } from '../fixtures/life.js';

const SIGUSR1 = 10;

/** The time limit of a job that has just started, at 1000 ms. */
function limited(t: Test, spec: Partial<BoxSpec>) {
  const parts = livingBox(t, { timeoutMs: 10_000, ...spec });
  const limits: Limits = new Map([['timeout', timeoutStatus(parts.spec.timeoutMs, 'default')]]);
  const near = createNear({ thresholds: parts.spec.near, limits, emitEvent: parts.emitEvent });
  let expired = 0;
  const limit = createTimeLimit({ ...parts, near, onExpired: () => expired++ });
  limit.clock.start(parts.time.now());
  return { ...parts, ...limit, limits, expired: () => expired };
}

t.test('the keeper has the deadline from the start of the job on, and each change of it', async (t) => {
  const { clock, deadlines, time, expired } = limited(t, {});
  clock.hold(true);
  clock.hold(false);
  clock.limit(2000);
  t.strictSame(
    deadlines.map(({ stopAtMs }) => stopAtMs),
    [11_000, 0, 11_000, 3000],
  );
  await time.advance(1999);
  t.equal(expired(), 0);
  await time.advance(1);
  t.equal(expired(), 1);
});

t.test('each threshold of --near is reported once, at its time', async (t) => {
  const { told, time, limits, clock } = limited(t, { near: [50, 90] });
  await time.advance(4999);
  t.strictSame(told, []);
  await time.advance(1);
  t.match(told, [{ event: 'limit_near', limit: 'timeout', threshold_percent: 50, used: 5000 }]);
  limits.set('timeout', timeoutStatus(20_000, 'command'));
  clock.limit(20_000);
  await time.advance(5000);
  t.match(told.slice(1), [{ threshold_percent: 50, used: 10_000 }], 'again for another limit');
  await time.advance(8000);
  t.match(told.slice(2), [{ threshold_percent: 90, used: 18_000 }]);
});

t.test('--warn-signal goes to the group of the job once, at its time before the limit', async (t) => {
  const { told, time, asked, warned, clock } = limited(t, { warnSignal: { signal: SIGUSR1, beforeMs: 3000 } });
  await time.advance(6999);
  t.equal(warned(), null);
  await time.advance(1);
  t.strictSame(asked, [['signal', 'group', SIGUSR1]]);
  t.strictSame(told, [{ event: 'warned', signal: 'SIGUSR1', remaining_ms: 3000 }]);
  t.equal(warned(), SIGUSR1);
  clock.limit(8000);
  await time.advance(500);
  t.equal(asked.length, 1, 'that moment of a shorter limit has passed');
  clock.limit(20_000);
  await time.advance(9500);
  t.match(told.slice(1), [{ event: 'warned', remaining_ms: 3000 }], 'that of a longer limit is still to come');
});

t.test('a limit shorter than the time before the warning warns at once', async (t) => {
  const { told, time } = limited(t, { timeoutMs: 1000, warnSignal: { signal: SIGUSR1, beforeMs: 3000 } });
  await time.advance(1);
  t.match(told, [{ event: 'warned', remaining_ms: 999 }]);
});

t.test('a box that is being stopped is not warned', async (t) => {
  const { life, told, time, asked, warned } = limited(t, { warnSignal: { signal: SIGUSR1, beforeMs: 3000 } });
  void life.stop('stopped', { via: 'amqp' }, 15, 60_000);
  await time.advance(8000);
  t.strictSame(asked, [['stop', 'group', 15, false]]);
  t.strictSame(told, []);
  t.equal(warned(), null);
});

t.test('a suspension of the wrapper itself does not count, and is reported', async (t) => {
  const { told, time, expired, lines, clock } = limited(t, {});
  time.jump(60_000);
  await time.advance(1);
  t.equal(expired(), 0);
  t.match(clock.status(), { elapsed_ms: 1, remaining_ms: 9999 });
  t.strictSame(told, [
    { event: 'suspended', by: { via: 'box' } },
    { event: 'resumed', by: { via: 'box' } },
  ]);
  t.match(lines.join('\n'), /the wrapper was suspended for 1 min; the wall clock limit does not count it/);
});
