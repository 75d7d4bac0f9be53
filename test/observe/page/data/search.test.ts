import t from 'tap';
import { parseSearch } from '../../../../src/observe/page/data/search.js';

t.test('words with a field narrow it, the others are text', async (t) => {
  const cases = [
    ['', {}],
    ['  ', {}],
    ['node1 gmx', { q: 'node1 gmx' }],
    ['user:alice host:node1 gmx', { user: 'alice', host: 'node1', q: 'gmx' }],
    ['USER:Alice', { user: 'Alice' }],
    ['job:1234_7 state:Suspended', { job: '1234_7', state: 'suspended' }],
    ['state:nonsense', { q: 'state:nonsense' }],
    ['silent:yes', { silent: 'true' }],
    ['silent:no', { silent: 'false' }],
    ['user:', { q: 'user:' }],
    ['http://x', { q: 'http://x' }],
    ['user:a user:b', { user: 'b' }],
    ['__proto__:x', { q: '__proto__:x' }],
  ] as const;
  for (const [text, search] of cases) t.strictSame(parseSearch(text), search, text);
  t.equal(parseSearch('x'.repeat(300)).q?.length, 256, 'no longer than the API takes');
});
