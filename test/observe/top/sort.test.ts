import t from 'tap';
import { isSortKey, SORT_KEYS, share, sorted } from '../../../src/observe/top/sort.js';
import { topRow } from '../../fixtures/top-rows.js';

const boxes = (rows: ReturnType<typeof sorted>) => rows.map(({ box }) => box).join('');

t.test('numbers begin with the largest, names with A, and what is unknown is last', async (t) => {
  const rows = [topRow('a', { cpu_percent: 1 }), topRow('b', { cpu_percent: null }), topRow('c', { cpu_percent: 9 })];
  t.equal(boxes(sorted(rows, 'cpu', false)), 'cab');
  t.equal(boxes(sorted(rows, 'cpu', true)), 'acb');
  const jobs = [topRow('a', { job: '10' }), topRow('b', { job: '9' }), topRow('c', { job: '9', task: '2' })];
  t.equal(boxes(sorted(jobs, 'job', false)), 'bca', 'as people count');
  t.strictSame(
    rows.map(({ box }) => box),
    ['a', 'b', 'c'],
    'the list itself stays',
  );
});

t.test('equal rows keep the order of their boxes', async (t) => {
  const rows = ['d', 'b', 'c', 'a'].map((box) => topRow(box));
  for (const key of SORT_KEYS) t.equal(boxes(sorted(rows, key, false)), 'abcd', key);
});

t.test('the time that is left, and shares of limits', async (t) => {
  const rows = [
    topRow('a', { used_ms: 5, limit_ms: 100 }),
    topRow('b', { used_ms: 90, limit_ms: 100 }),
    topRow('c', { limit_ms: null }),
  ];
  t.equal(boxes(sorted(rows, 'time-left', false)), 'bac');
  t.equal(share(1, null), null);
  t.equal(share(1, 0), null);
  t.equal(share(1, 4), 0.25);
});

t.test('names of orders', async (t) => {
  t.ok(isSortKey('cpu'));
  t.notOk(isSortKey('constructor'));
});
