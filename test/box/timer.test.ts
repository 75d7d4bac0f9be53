import t, { type Test } from 'tap';
import { createWallClock, type WallClockOptions } from '../../src/box/timer.js';
import { virtualTime } from '../fixtures/virtual-time.js';

function clockIn(t: Test, limitMs: number, more: Partial<WallClockOptions> = {}) {
  const time = virtualTime(t, 5_000);
  const expired: number[] = [];
  const gaps: number[] = [];
  const clock = createWallClock({
    limitMs,
    time,
    onExpired: () => expired.push(time.now() - 5_000),
    onGap: (ms) => gaps.push(ms),
    ...more,
  });
  return { time, expired, gaps, clock };
}

t.test('expires once, at the limit', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_500);
  clock.start(time.now());
  await time.advance(1_499);
  t.strictSame(expired, []);
  t.match(clock.status(), { running: true, elapsed_ms: 1_499, remaining_ms: 1, limit_ms: 1_500 });
  await time.advance(1);
  await time.advance(60_000);
  t.strictSame(expired, [1_500]);
});

t.test('counts from the start of the job and not from when it was told', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  await time.advance(100);
  clock.start(time.now() - 40);
  await time.advance(2_000);
  t.strictSame(expired, [1_060]);
});

t.test('0 means no limit', async (t) => {
  const { clock, time, expired } = clockIn(t, 0);
  clock.start(time.now());
  await time.advance(100_000);
  t.strictSame(expired, []);
  t.strictSame(clock.status(), { running: true, elapsed_ms: 100_000, remaining_ms: null, limit_ms: null });
});

t.test('a limit of many days', async (t) => {
  const days = 24 * 3600 * 1000;
  const { clock, time, expired } = clockIn(t, 25 * days);
  clock.start(time.now());
  clock.hold(true);
  time.jump(0);
  clock.hold(false);
  t.match(clock.status(), { remaining_ms: 25 * days });
  t.strictSame(expired, []);
});

t.test('suspension does not count, resumption goes on', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  await time.advance(600);
  clock.hold(true);
  await time.advance(1_500);
  t.match(clock.status(), { running: false, elapsed_ms: 600 });
  t.equal(clock.suspendedMs, 1_500);
  clock.hold(false);
  await time.advance(399);
  t.strictSame(expired, []);
  await time.advance(1);
  t.strictSame(expired, [2_500]);
});

t.test('timer_stop and timer_resume', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  await time.advance(400);
  clock.stop();
  await time.advance(700);
  t.match(clock.status(), { running: false, elapsed_ms: 400, remaining_ms: 600 });
  clock.resume();
  await time.advance(600);
  t.strictSame(expired, [1_700]);
});

t.test('resume of the box leaves a timer off that timer_stop had stopped', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  clock.stop();
  clock.hold(true);
  clock.hold(false);
  await time.advance(10_000);
  t.strictSame(expired, []);
  t.match(clock.status(), { running: false, elapsed_ms: 0 });
});

t.test('timer_resume of a suspended box waits for the box', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  clock.hold(true);
  clock.stop();
  clock.resume();
  await time.advance(1_900);
  t.strictSame(expired, []);
  clock.hold(false);
  await time.advance(1_000);
  t.strictSame(expired, [2_900]);
});

t.test('timer_reset is off and at zero, timer_start is on from zero', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  await time.advance(900);
  clock.reset();
  t.match(clock.status(), { running: false, elapsed_ms: 0 });
  await time.advance(1_500);
  t.strictSame(expired, []);
  clock.start(time.now());
  await time.advance(999);
  t.strictSame(expired, []);
  await time.advance(1);
  t.strictSame(expired, [3_400]);
});

t.test('a new limit counts what has elapsed', async (t) => {
  const { clock, time, expired } = clockIn(t, 0);
  clock.start(time.now());
  await time.advance(700);
  clock.limit(1_000);
  await time.advance(300);
  t.strictSame(expired, [1_000]);
});

t.test('a new limit that is over already expires at once', async (t) => {
  const { clock, time, expired } = clockIn(t, 60_000);
  clock.start(time.now());
  await time.advance(1_000);
  clock.limit(500);
  await time.advance(1);
  t.equal(expired.length, 1);
});

t.test('raising the limit and taking it away', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  await time.advance(900);
  clock.limit(5_000);
  await time.advance(3_000);
  t.strictSame(expired, []);
  clock.limit(0);
  await time.advance(60_000);
  t.strictSame(expired, []);
});

t.test('suspension of the wrapper itself is taken out of the limit', async (t) => {
  const { clock, time, expired, gaps } = clockIn(t, 5_000);
  clock.start(time.now());
  await time.advance(2_000);
  time.jump(60_000);
  await time.advance(1);
  t.strictSame(gaps, [60_000]);
  t.strictSame(expired, [], 'and it does not expire on waking');
  t.equal(clock.suspendedMs, gaps[0]);
  await time.advance(5_000);
  t.equal(expired.length, 1);
});

t.test('a short suspension, too, and one after the other', async (t) => {
  const { clock, time, expired, gaps } = clockIn(t, 1_000);
  clock.start(time.now());
  for (let i = 0; i < 5; i++) {
    await time.advance(100);
    time.jump(300);
  }
  await time.advance(499);
  t.strictSame(gaps, [300, 300, 300, 300, 300]);
  t.strictSame(expired, []);
  await time.advance(1);
  t.strictSame(expired, [2_500]);
});

t.test('an event loop that is blocked is no suspension, however long', async (t) => {
  const { clock, time, expired, gaps } = clockIn(t, 5_000);
  clock.start(time.now());
  await time.advance(2_000);
  time.block(60_000);
  await time.advance(1);
  t.strictSame(gaps, []);
  t.equal(clock.suspendedMs, 0);
  t.equal(expired.length, 1, 'the limit is over');
});

t.test('nothing fires after the end, and the end fixes what has elapsed', async (t) => {
  const { clock, time, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  await time.advance(500);
  clock.close(time.now());
  await time.advance(60_000);
  t.strictSame(expired, []);
  t.equal(time.armed(), 0);
  t.match(clock.status(), { running: false, elapsed_ms: 500 });
  clock.close(time.now());
  t.match(clock.status(), { elapsed_ms: 500 }, 'a second end changes nothing');
});

t.test('the end of a suspended box counts its suspension', async (t) => {
  const { clock, time } = clockIn(t, 1_000);
  clock.start(time.now());
  clock.hold(true);
  await time.advance(700);
  clock.close(time.now());
  await time.advance(700);
  t.equal(clock.suspendedMs, 700);
});

t.test('suspension of the wrapper while its box is suspended counts once', async (t) => {
  const { clock, time, gaps, expired } = clockIn(t, 1_000);
  clock.start(time.now());
  clock.hold(true);
  await time.advance(1_000);
  time.jump(30_000);
  await time.advance(1_000);
  clock.hold(false);
  t.equal(clock.suspendedMs, 32_000);
  t.strictSame(gaps, [], 'and is no second suspension');
  t.match(clock.status(), { elapsed_ms: 0 });
  await time.advance(1_000);
  t.equal(expired.length, 1);
});
