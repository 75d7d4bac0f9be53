import t from 'tap';
import { parseNumber, parseTable, pidsUsage, without } from '../../src/cgroup/usage.js';
import { readNow } from '../fixtures/at-once.js';
import { pids, V1_FILES } from '../fixtures/cgroup-files.js';

t.test('processes are counted by the same files in v1 and v2', async (t) => {
  const { 'pids.current': current, 'pids.peak': peak, 'pids.events': events } = V1_FILES;
  const dir = t.testdir({ 'pids.current': current, 'pids.peak': peak, 'pids.events': events });
  t.same(pidsUsage(dir, readNow), pids);
  t.same(pidsUsage(t.testdir({ 'pids.current': current }), readNow), { ...pids, peak: null, refused: null });
  t.equal(pidsUsage(`${dir}/gone`, readNow), null);
});

t.test('a number file says null for max and for what it cannot read', async (t) => {
  const dir = t.testdir({ max: 'max\n', number: '12\n', empty: '' });
  t.same(readNow(dir, 'max', 'number', 'empty', 'none').map(parseNumber), [null, 12, null, null]);
});

t.test('a table finds whole keys at the start of a line only', async (t) => {
  const table = parseTable('file_mapped 7\nfile 9\ntotal_file 11\nodd x\nlast 18446744073709551615');
  t.same(
    ['file', 'file_mapped', 'mapped', 'total_file', 'odd', ''].map((key) => table?.get(key)),
    [9, 7, null, 11, null, null],
  );
  t.equal(table?.get('last'), 2 ** 64);
  t.equal(parseTable('')?.get('file'), null);
});

t.test('a number is digits, and a part is never more than the whole', async (t) => {
  t.same(['7', '-7', '1.5', ' 7', 'max', '', null, undefined].map(parseNumber), [7, ...Array(7).fill(null)]);
  t.equal(parseTable(null), null);
  t.same([without(5, 3), without(3, 5), without(5, null), without(null, 1)], [2, 0, 5, null]);
});
