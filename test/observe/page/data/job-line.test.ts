import t from 'tap';
import { COLUMNS } from '../../../../src/observe/page/data/api.js';
import { addNow, createJobLine, POINTS_MAX } from '../../../../src/observe/page/data/job-line.js';
import { lineOf } from '../../../fixtures/page-answers.js';
import { ended, madeUpBoxes } from '../../../fixtures/page-boxes.js';

const [one, other] = madeUpBoxes(2, 1_000_000_000) as [
  ReturnType<typeof madeUpBoxes>[number],
  ReturnType<typeof madeUpBoxes>[number],
];
const last = (line: ReturnType<typeof createJobLine>, column: (typeof COLUMNS)[number]) =>
  line.columns[COLUMNS.indexOf(column)]?.at(-1);

t.test('the present follows the past', async (t) => {
  const past = lineOf(one);
  const line = createJobLine(past);
  t.equal(line.times.length, past.time_ms.length);
  addNow(line, [one]);
  t.equal(line.times.length, past.time_ms.length, 'a sample that the collector has told already');
  addNow(line, [{ ...one, updated_ms: one.updated_ms + 1000, memory_bytes: 5 }]);
  t.equal(line.times.at(-1), one.updated_ms / 1000 + 1);
  t.equal(last(line, 'memory_bytes'), 5);
});

t.test('boxes are summed, percentages averaged, and a limit only where all have one', async (t) => {
  const line = createJobLine(null);
  addNow(line, [
    { ...one, memory_bytes: 1, pressure_cpu_percent: 10, throttled_percent: null },
    {
      ...other,
      memory_bytes: 2,
      pressure_cpu_percent: 20,
      throttled_percent: null,
      memory_limit_bytes: null,
      updated_ms: one.updated_ms + 5,
    },
  ]);
  t.equal(line.times.at(-1), (one.updated_ms + 5) / 1000);
  t.equal(last(line, 'memory_bytes'), 3);
  t.equal(last(line, 'pressure_cpu_percent'), 15);
  t.equal(last(line, 'throttled_percent'), null);
  t.equal(last(line, 'memory_limit_bytes'), null);
});

t.test('what has ended uses nothing, and nothing is no point', async (t) => {
  const line = createJobLine(null);
  const over = ended(one, { reason: 'exited', exit_status: 0, why: null });
  addNow(line, [over]);
  t.equal(line.times.length, 0);
  addNow(line, [over, { ...other, memory_bytes: 4 }]);
  t.equal(last(line, 'memory_bytes'), 4);
  for (let second = 1; second < 2 * POINTS_MAX; second++)
    addNow(line, [{ ...other, updated_ms: other.updated_ms + second * 1000 }]);
  t.ok(line.times.length <= POINTS_MAX);
});
