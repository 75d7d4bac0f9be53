import t from 'tap';
import { newBoxId } from '../../src/supervise/box-id.js';

t.test('ids are of one form, differ, and sort by time', async (t) => {
  const ids = Array.from({ length: 100 }, newBoxId);
  for (const id of ids) t.match(id, /^[0-9a-f]{20}$/);
  t.equal(new Set(ids).size, 100);
  t.equal(Number.parseInt(ids[0]!.slice(0, 8), 16) - Math.floor(Date.now() / 1000) <= 0, true);
});
