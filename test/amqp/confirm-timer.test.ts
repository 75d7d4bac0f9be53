import t, { type Test } from 'tap';
import { ConfirmTimer } from '../../src/amqp/confirm-timer.js';
import { virtualTime } from '../fixtures/virtual-time.js';

function timerOf(t: Test, messageTimeoutMs: number) {
  const time = virtualTime(t);
  let over = 0;
  return { time, one: new ConfirmTimer(messageTimeoutMs, () => over++, time.now), over: () => over };
}

t.test('a link that confirms nothing for ten seconds is over', async (t) => {
  const { time, one, over } = timerOf(t, 30_000);
  one.start();
  await time.advance(9_999);
  t.equal(over(), 0);
  await time.advance(1);
  t.equal(over(), 1);
  t.equal(time.armed(), 0);
});

t.test('sooner where a message has less time, and after ten seconds where it has no end', async (t) => {
  const short = timerOf(t, 500);
  short.one.start();
  await short.time.advance(500);
  t.equal(short.over(), 1);
  const endless = timerOf(t, 0);
  endless.one.start();
  await endless.time.advance(10_000);
  t.equal(endless.over(), 1);
});

t.test('only the time on a link counts, and never in the first attempt', async (t) => {
  const { time, one } = timerOf(t, 3_000);
  one.renew(0);
  one.attempted();
  one.start();
  await time.advance(2_999);
  one.stop();
  one.tried(5_000);
  t.equal(one.expired, false, 'no silent outage loses it');
  await time.advance(60_000);
  one.attempted();
  t.equal(one.expired, true);
  one.renew(1);
  t.equal(one.expired, false, 'another message begins anew');
  one.attempted();
  one.tried(2_999);
  t.equal(one.expired, false);
  one.tried(1);
  t.equal(one.expired, true);
});

t.test('a message without a timeout never expires', async (t) => {
  const { one } = timerOf(t, 0);
  one.renew(5);
  one.tried(1e12);
  t.equal(one.expired, false);
});

t.test('stopping twice counts once', async (t) => {
  const { time, one } = timerOf(t, 10);
  one.renew(2);
  one.start();
  await time.advance(5);
  one.stop();
  await time.advance(100);
  one.stop();
  t.equal(one.expired, false);
});
