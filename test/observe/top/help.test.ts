import t from 'tap';
import { COLUMNS } from '../../../src/observe/top/columns.js';
import { helpLines } from '../../../src/observe/top/help.js';

t.test('the help names every key that does something, and fits into 100 columns', async (t) => {
  const text = helpLines().map((spans) => spans.map(({ text }) => text).join(''));
  for (const line of text) t.ok(line.length <= 100, line);
  const all = text.join('\n');
  for (const key of [
    'Enter',
    'k',
    's',
    'r',
    '/',
    'u',
    'e',
    'p',
    'R',
    'q',
    'P',
    'M',
    'L',
    'I',
    'W',
    'T',
    'E',
    'N',
    'U',
    'H',
  ])
    t.match(all, new RegExp(`(?:^|[ \\n])${key}(?:[ ,\\n]|$)`), key);
  for (const title of COLUMNS.map((column) => column.title).filter(
    (name) => !['USER', 'JOB', 'HOST', 'PROC', 'QUEUE', 'COMMAND'].includes(name),
  ))
    t.match(all, title);
});
