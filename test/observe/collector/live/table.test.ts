import t from 'tap';
import {
  type Filter,
  filterBoxes,
  isOfJob,
  parseOrder,
  sortedPart,
} from '../../../../src/observe/collector/live/table.js';
import { SORT_KEYS } from '../../../../src/observe/model/api.js';
import { boxWith, exitOf, runningBox, START_MS, sampleOf } from '../../../fixtures/collected.js';

const ALL: Filter = {
  visibleTo: null,
  user: undefined,
  job: undefined,
  host: undefined,
  states: undefined,
  silent: undefined,
  text: undefined,
};

const memory = (bytes: number) => ({ MemoryCgroup: { current: bytes, swap: 0 } });
const boxes = [
  runningBox({ box: 'a', job: '12_1', user: 'alice', host: 'n1' }, memory(30)),
  runningBox({ box: 'b', job: '12_2', user: 'alice', host: 'n2' }, memory(10)),
  runningBox({ box: 'c', job: '123', user: 'bob', host: 'n1' }, memory(20)),
  boxWith([
    sampleOf({ box: 'd', job: '9', user: 'bob' }, 1, memory(5)),
    exitOf({ box: 'd', job: '9', user: 'bob' }, 2),
  ]),
];
const names = (filter: Partial<Filter>, nowMs = START_MS) =>
  filterBoxes(boxes, { ...ALL, ...filter }, nowMs)
    .map(({ identity }) => identity.box)
    .join('');

t.test('filters narrow together', async (t) => {
  t.equal(names({}), 'abcd');
  t.equal(names({ visibleTo: 'bob' }), 'cd', 'a user sees their own');
  t.equal(names({ visibleTo: 'bob', user: 'alice' }), '');
  t.equal(names({ host: 'n1' }), 'ac');
  t.equal(names({ job: '12' }), 'ab', 'an array has its tasks, and no other job');
  t.equal(names({ job: '12_2' }), 'b');
  t.equal(names({ states: new Set(['ended']) }), 'd');
  t.equal(names({ text: 'ALI' }), 'ab');
  t.equal(names({ silent: true }), '');
  t.equal(names({ silent: true }, START_MS + 1e7), 'abc', 'a box that has ended is not silent');
});

t.test('tasks of arrays are told from other jobs', async (t) => {
  t.ok(isOfJob('12_7', '12') && isOfJob('12[7].server', '12') && isOfJob('12', '12'));
  t.notOk(isOfJob('123', '12') || isOfJob('12_x', '12') || isOfJob('12', '12_7'));
});

t.test('a part of the order is the same whether all or few are sorted', async (t) => {
  const many = Array.from({ length: 3_000 }, (_, index) =>
    runningBox({ box: `b${index}` }, memory((index * 7_919) % 1_000)),
  );
  for (const text of ['-memory_bytes', 'memory_bytes', 'job', '-time_percent']) {
    const order = parseOrder(text)!;
    const all = sortedPart(many, order, 0, 3_000);
    t.strictSame(sortedPart(many, order, 20, 50), all.slice(20, 70), text);
  }
});

t.test('every key sorts, and unknown values come last in both directions', async (t) => {
  for (const key of SORT_KEYS) t.equal(sortedPart(boxes, { key, descending: true }, 0, 10).length, boxes.length, key);
  const limited = runningBox({ box: 'z' }, { ...memory(1), Limits: { memory: { value: 100 } } });
  for (const descending of [true, false]) {
    t.equal(sortedPart([...boxes, limited], { key: 'memory_percent', descending }, 0, 1)[0], limited);
  }
  t.equal(parseOrder('password'), null);
});
