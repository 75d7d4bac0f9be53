import t from 'tap';
import { isInForeground, sizeOf } from '../../../src/observe/terminal/tty.js';

t.test('the foreground is read from proc_pid_stat(5), whatever the program is called', async (t) => {
  t.ok(isInForeground('12 (a b) S 1 12 12 34816 12 4194304 0'));
  t.notOk(isInForeground('12 (a b) S 1 12 12 34816 99 4194304 0'));
  t.ok(isInForeground('12 (x) R 9 9 (y)) S 1 12 12 34816 12 4194304 0'));
  t.notOk(isInForeground('12 (a) S 1 12 12 0 -1 4194304 0'), 'no terminal');
});

t.test('a terminal that does not tell its size has the usual one', async (t) => {
  t.strictSame(sizeOf({ columns: 132, rows: 50 }), { columns: 132, rows: 50 });
  t.strictSame(sizeOf({ columns: 0, rows: 0 }), { columns: 80, rows: 24 });
  t.strictSame(sizeOf({ columns: undefined as never, rows: undefined as never }), { columns: 80, rows: 24 });
});
