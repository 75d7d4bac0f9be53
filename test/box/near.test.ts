import t from 'tap';
import type { Limits } from '../../src/box/limits.js';
import { createNear, share } from '../../src/box/near.js';
import type { EventBody } from '../../src/model/event.js';
import type { LimitStatus } from '../../src/model/sample.js';

const pids = (value: LimitStatus['value'], enforcement: LimitStatus['enforcement'] = 'watchdog'): LimitStatus => ({
  value,
  unit: 'count',
  enforcement,
});

function near(thresholds: readonly number[], limits: Limits) {
  const told: EventBody[] = [];
  return { near: createNear({ thresholds, limits, emitEvent: (body) => told.push(body) }), told };
}

t.test('each threshold is told once, in order', async (t) => {
  const { near: one, told } = near([50, 80], new Map([['pids', pids(10)]]));
  t.equal(one.next('pids'), 5);
  one.used('pids', 4);
  t.strictSame(told, []);
  t.strictSame(one.reached, {});
  one.used('pids', 5);
  one.used('pids', 7);
  t.match(told, [{ event: 'limit_near', limit: 'pids', threshold_percent: 50, used: 5, status: pids(10) }]);
  t.equal(one.next('pids'), 8);
  t.strictSame(one.reached, { pids: 50 });
  one.used('pids', 10);
  t.match(told.slice(1), [{ threshold_percent: 80, used: 10 }]);
  t.equal(one.next('pids'), null, 'none is left');
  t.strictSame(one.reached, { pids: 80 });
});

t.test('a jump passes several at once', async (t) => {
  const { near: one, told } = near([50, 80, 95], new Map([['pids', pids(10)]]));
  one.used('pids', 9);
  t.match(told, [{ threshold_percent: 50 }, { threshold_percent: 80 }]);
});

t.test('a limit with another value begins anew', async (t) => {
  const limits: Limits = new Map([['pids', pids(10)]]);
  const { near: one, told } = near([50], limits);
  one.used('pids', 6);
  limits.set('pids', pids(20));
  t.strictSame(one.reached, {});
  t.equal(one.next('pids'), 10);
  one.used('pids', 6);
  one.used('pids', 11);
  t.equal(told.length, 2);
});

t.test('what is no limit of a number, or held by nothing, is never near', async (t) => {
  const limits: Limits = new Map([
    ['pids', pids('unlimited')],
    ['memory', pids(10, 'none')],
  ]);
  const { near: one, told } = near([50], limits);
  for (const name of ['pids', 'memory', 'cpus']) {
    one.used(name, 1e9);
    t.equal(one.next(name), null);
  }
  t.strictSame(told, []);
  const none = near([], new Map([['pids', pids(10)]]));
  none.near.used('pids', 10);
  t.equal(none.near.next('pids'), null, 'without thresholds');
});

t.test('a share of a large limit stays exact', async (t) => {
  t.equal(share(200, 80), 160);
  t.equal(share(2 ** 53 - 1, 50), (2 ** 53 - 1) / 2);
});
