import t from 'tap';
import { PLAIN } from '../../../src/observe/terminal/look.js';
import { tableText } from '../../../src/observe/top/once.js';
import { topRow } from '../../fixtures/top-rows.js';

const rows = [topRow('a', { command: '/opt/a b\x1b[2J' }), topRow('b', { user: 'x'.repeat(300), state: 'ended' })];

t.test('for a pipe every column has the width that it needs', async (t) => {
  const lines = tableText(rows, undefined, PLAIN).split('\n');
  t.match(lines[0], /^USER +JOB +HOST +S +CPU% +MEM +PEAK +LIM +R\/s +W\/s +PSI +TIME +PROC +QUEUE +COMMAND$/);
  t.match(lines[1], /^alice +1234 +node1 +run +50\.0 +1G +2G +4G +1K +2K +m42 +1h\/2h +3 +- +a b\\u001b\[2J$/);
  t.equal(lines.length, 4);
});

t.test('for a terminal it fits into its width', async (t) => {
  for (const width of [40, 80])
    for (const line of tableText(rows, width, PLAIN).split('\n')) t.ok(line.length <= width, line);
});

t.test('no boxes', async (t) => t.equal(tableText([], 80, PLAIN), 'no boxes\n'));
