import t from 'tap';
import { optionRows, row, wrap } from '../../src/options/verb-help.js';

t.test('an option has its value and its default beside it', async (t) => {
  const rows = optionRows({
    wait: { placeholder: 'duration', default: '3s', help: 'how long to wait' },
    all: { help: 'every box' },
  });
  t.equal(
    rows,
    `  --wait <duration>           how long to wait (default 3s)
  --all                       every box
`,
  );
});

t.test('a text begins below a long head, and goes on in its own column', async (t) => {
  const [head, ...lines] = row(`--${'x'.repeat(30)}`, 'word '.repeat(30).trim())
    .trimEnd()
    .split('\n');
  t.equal(head, `  --${'x'.repeat(30)}`);
  t.ok(lines.length > 1);
  for (const line of lines) t.match(line, /^ {30}word[ word]*$/);
});

t.test('lines have at most 70 characters, and none is lost', async (t) => {
  const text = Array.from({ length: 60 }, (_, index) => 'w'.repeat((index % 9) + 1)).join(' ');
  const lines = wrap(text);
  for (const line of lines) t.ok(line.length <= 70, line);
  t.equal(lines.join(' '), text);
  t.strictSame(wrap(''), ['']);
});
