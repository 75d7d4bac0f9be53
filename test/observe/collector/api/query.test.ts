import t from 'tap';
import { cursorText, readHistory, readTable } from '../../../../src/observe/collector/api/query.js';

t.test('a table query is checked', async (t) => {
  t.match(readTable({ state: 'running,ended', sort: 'user', offset: '5', limit: '7', silent: 'true' }, 'alice'), {
    filter: { visibleTo: 'alice', silent: true, user: undefined },
    order: { key: 'user', descending: false },
    offset: 5,
    limit: 7,
  });
  const bad: readonly object[] = [
    { limit: '0' },
    { limit: '1001' },
    { limit: '1e2' },
    { offset: '-1' },
    { sort: 'constructor' },
    { state: 'dreaming' },
    { silent: 'maybe' },
    { user: ['a', 'b'] },
    { q: 'x'.repeat(300) },
    { usr: 'alice' },
  ];
  for (const query of bad)
    t.throws(() => readTable(query, null), { name: 'ApiProblem', status: 400 }, JSON.stringify(query));
});

t.test('a cursor comes back, and a forged one is refused', async (t) => {
  const cursor = { updatedMs: 5, box: 'b"\u00e4' };
  t.strictSame(readHistory({ cursor: cursorText(cursor) }, null).after, cursor);
  for (const text of ['x', 'e30', Buffer.from('["a",1]').toString('base64url')])
    t.throws(() => readHistory({ cursor: text }, null), { name: 'ApiProblem', status: 400 }, text);
});
