import t from 'tap';
import { createTicker } from '../../src/box/ticker.js';
import { virtualTime } from '../fixtures/virtual-time.js';

t.test('ticks on a grid', async (t) => {
  const time = virtualTime(t);
  const ticks: number[] = [];
  const ticker = createTicker(time, () => ticks.push(time.now()));
  ticker.every(100);
  await time.advance(350);
  t.strictSame(ticks, [100, 200, 300]);
  ticker.stop();
  await time.advance(1000);
  t.equal(ticks.length, 3, 'and not after stop');
});

t.test('a late tick does not delay those after it, and missed ones are not made up for', async (t) => {
  const time = virtualTime(t);
  const ticks: number[] = [];
  const ticker = createTicker(time, () => ticks.push(time.now()));
  ticker.every(100);
  await time.advance(100);
  time.jump(570); // the wrapper was suspended: 670 now
  await time.advance(130);
  t.strictSame(ticks, [100, 670, 700, 800]);
  ticker.stop();
});

t.test('boxes whose ticks are due at almost the same time share one wake-up', async (t) => {
  const time = virtualTime(t);
  const ticks: number[][] = [[], [], []];
  const tickers = ticks.map((of) => createTicker(time, () => of.push(time.now())));
  for (const ticker of tickers) {
    ticker.every(1000);
    await time.advance(7);
  }
  await time.advance(3100);
  t.strictSame(ticks, [
    [1000, 2000, 3000],
    [1050, 2050, 3050],
    [1050, 2050, 3050],
  ]);
  for (const ticker of tickers) ticker.stop();
});

t.test('a new rate replaces the old one', async (t) => {
  const time = virtualTime(t);
  const ticks: number[] = [];
  const ticker = createTicker(time, () => ticks.push(time.now()));
  for (const ms of [10, 20, 30, 100]) ticker.every(ms);
  t.equal(ticker.intervalMs, 100);
  t.equal(time.armed(), 1, 'one timer');
  await time.advance(100);
  t.strictSame(ticks, [100]);
  ticker.every(50);
  await time.advance(100);
  t.strictSame(ticks, [100, 150, 200]);
  ticker.stop();
});

t.test('0 turns it off', async (t) => {
  const time = virtualTime(t);
  let ticks = 0;
  const ticker = createTicker(time, () => ticks++);
  ticker.every(10);
  ticker.every(0);
  t.equal(time.armed(), 0);
  await time.advance(100);
  t.equal(ticks, 0);
});

t.test('an interval of many days', async (t) => {
  const time = virtualTime(t);
  let ticks = 0;
  const ticker = createTicker(time, () => ticks++);
  const month = 30 * 24 * 3600 * 1000;
  ticker.every(month);
  await time.advance(month - 1);
  t.equal(ticks, 0);
  await time.advance(1);
  t.equal(ticks, 1);
  ticker.stop();
});

t.test('a tick that changes the rate', async (t) => {
  const time = virtualTime(t);
  const ticks: number[] = [];
  const ticker = createTicker(time, () => {
    ticks.push(time.now());
    if (ticks.length === 1) ticker.every(30);
    if (ticks.length === 3) ticker.stop();
  });
  ticker.every(100);
  await time.advance(1000);
  t.strictSame(ticks, [100, 130, 160]);
  t.equal(time.armed(), 0);
});
