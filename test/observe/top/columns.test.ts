import t from 'tap';
import { widthOf } from '../../../src/observe/terminal/cells.js';
import { COLUMNS, cell, percent, place, rate, stateStyle } from '../../../src/observe/top/columns.js';
import { topRow } from '../../fixtures/top-rows.js';

const look = { utf8: true, color: true };
const rows = [
  topRow('a'),
  topRow('b', {
    user: 'a-very-long-user-name',
    host: 'node1.site.example',
    job: '1234567_1234',
    step: '0',
    task: '17',
  }),
];
const titles = (width: number) => place(rows, width, look).map(({ column }) => column.title);

t.test('the columns fit into the screen, and more of them into a wider one', async (t) => {
  for (const width of [10, 40, 80, 132, 200, 400]) {
    const placed = place(rows, width, look);
    const taken = placed.reduce((sum, one) => sum + one.width + 1, -1);
    t.ok(taken <= width, `${taken} of ${width}`);
    for (const row of rows) for (const one of placed) t.equal(widthOf(cell(one, row, look)), one.width);
  }
  t.strictSame(titles(80), [
    'USER',
    'JOB',
    'HOST',
    'S',
    'CPU%',
    'MEM',
    'PEAK',
    'LIM',
    'MEMORY',
    'R/s',
    'W/s',
    'PSI',
    'TIME',
  ]);
  t.ok(['JOB', 'CPU%', 'MEM'].every((title) => titles(40).includes(title)));
  t.strictSame(
    titles(200),
    COLUMNS.map(({ title }) => title),
  );
});

t.test('columns do not become narrower again while the table moves', async (t) => {
  const before = place(rows, 120, look);
  const after = place([rows[0]!], 120, look, before);
  t.strictSame(
    after.map(({ width }) => width),
    before.map(({ width }) => width),
  );
});

t.test('any row can be shown', async (t) => {
  const odd = topRow('x', {
    user: '\x1b[31mroot',
    job: '\u6f22'.repeat(300),
    host: '10.0.0.1',
    state: 'dancing',
    cpu_percent: 1e300,
    memory: 1e300,
    memory_limit: 0,
    read_rate: Number.MAX_VALUE,
    used_ms: 1e18,
    limit_ms: 1,
    processes: 1e300,
    command: '/',
    pressure_memory: 1e9,
  });
  const empty = topRow('y', {
    cpu_percent: null,
    memory: null,
    memory_peak: null,
    memory_limit: null,
    read_rate: null,
    write_rate: null,
    pressure_cpu: null,
    pressure_memory: null,
    pressure_io: null,
    used_ms: null,
    limit_ms: null,
    processes: null,
    oom_kills: null,
    command: null,
  });
  for (const row of [odd, empty])
    for (const one of place([row], 300, look)) {
      const text = cell(one, row, look);
      t.equal(widthOf(text), one.width, one.column.title);
      t.notMatch(text, /\p{Cc}/u);
      one.column.style?.(row);
    }
});

t.test('figures are short', async (t) => {
  t.strictSame([0, 12.34, 99.96, 12_800, null].map(percent), ['0.0', '12.3', '100', '12800', '-']);
  t.strictSame([0.2, 1024, null].map(rate), ['0', '1K', '-']);
  t.equal(stateStyle(topRow('a', { state: 'suspended' })), 'notice');
});
