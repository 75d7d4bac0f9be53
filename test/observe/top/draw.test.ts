import t from 'tap';
import { filterOf } from '../../../src/observe/source/filter.js';
import { widthOf } from '../../../src/observe/terminal/cells.js';
import { bodyHeight, draw, questionText, type Scene } from '../../../src/observe/top/draw.js';
import { firstView } from '../../../src/observe/top/view.js';
import { bare, topRow } from '../../fixtures/top-rows.js';

const rows = Array.from({ length: 60 }, (_, index) =>
  topRow(`box${index}`, { job: `${index}`, state: index === 1 ? 'suspended' : 'running' }),
);
const view = firstView('cpu');
const scene: Scene = {
  view,
  rows,
  hidden: 0,
  box: undefined,
  source: { text: 'from 127.0.0.1:5672', isError: false },
  given: '',
  clock: '12:00:00',
};
const looks = [
  { utf8: true, color: true },
  { utf8: false, color: false },
];
const SIZES = [
  [80, 24],
  [200, 60],
  [40, 10],
  [20, 5],
  [1, 1],
  [500, 3],
] as const;

t.test('every page fills every screen exactly', async (t) => {
  for (const [columns, height] of SIZES)
    for (const look of looks)
      for (const changed of [
        {},
        { page: 'help' },
        { page: 'details', selected: 'box1' },
        { page: 'help', scroll: 1000 },
        { paused: true },
        { prompt: { label: 'Show (a long label): ', text: 'x'.repeat(150) } },
        { message: { text: '\x1b[2Jbad\n', isError: true } },
        { question: { action: 'kill', row: rows[0]!, ofJob: 3 } },
      ] as const) {
        const { lines } = draw(
          { ...scene, view: { ...view, ...changed } as typeof view },
          { columns, rows: height },
          look,
        );
        t.ok(lines.length <= height, `${lines.length} lines on ${height}`);
        if (height >= 5) t.equal(lines.length, height);
        for (const text of lines)
          if (widthOf(bare(text)) !== columns) t.fail(`${widthOf(bare(text))} of ${columns}: ${bare(text)}`);
      }
});

t.test('the head counts boxes and states, and names filters and the link', async (t) => {
  const { lines } = draw(
    { ...scene, hidden: 5, given: 'user:alice', view: { ...view, filter: filterOf([['host', 'n1']]) } },
    { columns: 120, rows: 24 },
    looks[1]!,
  );
  const text = lines.map(bare);
  t.match(text[0], '60 boxes of 65: 59 running, 1 suspended');
  t.match(text[1], 'CPU 3000 %  memory 60 GiB');
  t.match(text[2], 'by cpu, only user:alice host:n1  from 127.0.0.1:5672');
  t.match(text[3], />CPU%/);
});

t.test('a lost link shows on a low screen as well', async (t) => {
  const lost = { ...scene, source: { text: 'no link: connection refused', isError: true } };
  for (const rows of [10, 24])
    t.match(draw(lost, { columns: 80, rows }, looks[1]!).lines.map(bare).join('\n'), 'no link: connection refused');
});

t.test('an empty table says why', async (t) => {
  const text = (more: Partial<Scene>) =>
    draw({ ...scene, rows: [], ...more }, { columns: 80, rows: 24 }, looks[1]!)
      .lines.map(bare)
      .join('\n');
  t.match(text({}), 'no box yet: each one appears with its next sample');
  t.match(text({ hidden: 7 }), 'no box matches: Esc shows all 7');
});

t.test('a question begins with what to press, and names the box', async (t) => {
  const question = { action: 'kill', row: topRow('5c1f0a', { job: '1234_7', user: 'bob\x1b' }), ofJob: 4 } as const;
  t.equal(
    questionText(question, looks[1]!),
    'Kill? y=yes, j=all 4 boxes of the job, else no: 1234_7 of bob\\u001b on node1, 1G, box 5c1f0a',
  );
  t.notMatch(questionText({ ...question, ofJob: 1 }, looks[1]!), 'j=all');
});

t.test('the height of the middle', async (t) => {
  t.equal(bodyHeight({ columns: 80, rows: 24 }), 19);
  t.equal(bodyHeight({ columns: 80, rows: 10 }), 7);
  t.equal(bodyHeight({ columns: 80, rows: 1 }), 1);
});
