import t from 'tap';
import {
  bothFilters,
  EVERYTHING,
  filterOf,
  filterText,
  fits,
  like,
  parseFilter,
} from '../../../src/observe/source/filter.js';

const box = {
  user: 'alice',
  job: '1234_7',
  host: 'node1.site',
  state: 'suspended',
  box: 'b0x',
  step: '0',
  task: null,
  queue: 'short',
  command: '/opt/bwa',
};

t.test('keys name fields, and words look into all of them', async (t) => {
  for (const text of [
    '',
    'user:alice',
    'user:bob,alice',
    'job:1234',
    'job:1234_7',
    'host:node1',
    'host:node1.site',
    'state:susp',
    'host:node*',
    'bwa',
    'SHORT',
    'user:alice bwa',
    'user:al*e',
    'user:alice user:bob',
  ])
    t.ok(fits(parseFilter(text), box), text);
  for (const text of [
    'user:bob',
    'user:ali',
    'job:123',
    'job:1234_70',
    'host:node',
    'host:node1.sit',
    'state:running',
    'nothing',
    'user:alice nothing',
    'task:0',
  ])
    t.notOk(fits(parseFilter(text), box), text);
});

t.test('an unknown key is a word like any other, and a key without a value as well', async (t) => {
  t.strictSame(parseFilter('colour:red user:').words, ['colour:red', 'user:']);
});

t.test('filters have words again', async (t) => {
  t.equal(filterText(parseFilter(' user:alice   job:1,2 bwa ')), 'user:alice job:1,2 bwa');
  t.equal(filterText(EVERYTHING), '');
  t.equal(filterText(filterOf([['user', 'alice,bob']])), 'user:alice,bob');
});

t.test('two filters hold together', async (t) => {
  t.ok(bothFilters(filterOf([['user', 'alice']]), parseFilter('bwa'))(box));
  t.notOk(bothFilters(filterOf([['user', 'bob']]), parseFilter('bwa'))(box));
});

t.test('a star stands for any text, and no pattern takes long', async (t) => {
  for (const [pattern, text] of [
    ['*', ''],
    ['a*', 'a'],
    ['*a', 'ba'],
    ['a*b*c', 'axxbyyc'],
    ['**', 'x'],
    ['a*a', 'aa'],
  ] as const)
    t.ok(like(pattern, text), pattern);
  for (const [pattern, text] of [
    ['a*a', 'a'],
    ['a*b', 'ac'],
    ['', 'x'],
    ['*b*', 'ac'],
    ['.*', 'x'],
  ] as const)
    t.notOk(like(pattern, text), pattern);
  const began = performance.now();
  like('*a'.repeat(100), `${'a'.repeat(50_000)}b`);
  t.ok(performance.now() - began < 5_000);
});
