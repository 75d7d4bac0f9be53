import t from 'tap';
import { after } from '../src/delay.js';
import { virtualTime } from './fixtures/virtual-time.js';

const DAY_MS = 24 * 3600 * 1000;

t.test('waits as long as it is told, also for months', async (t) => {
  for (const ms of [0, 1, 2 ** 31 - 1, 2 ** 31, 60 * DAY_MS, 365 * DAY_MS]) {
    const time = virtualTime(t);
    let over = 0;
    after(ms, () => over++);
    await time.advance(ms - 1);
    t.equal(over, 0, `${ms} ms are not over before`);
    await time.advance(2);
    t.equal(over, 1);
    t.equal(time.armed(), 0);
  }
});

t.test('a wait without end never ends, and can be cancelled at any time', async (t) => {
  const time = virtualTime(t);
  let over = 0;
  const wait = after(Number.POSITIVE_INFINITY, () => over++);
  await time.advance(1000 * DAY_MS);
  t.equal(over, 0);
  t.equal(time.armed(), 1);
  wait.cancel();
  t.equal(time.armed(), 0);
});

t.test('no wait is negative', async (t) => {
  const time = virtualTime(t);
  let over = 0;
  after(-5, () => over++);
  await time.advance(1);
  t.equal(over, 1);
});
