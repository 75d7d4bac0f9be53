import t from 'tap';
import { asciiOf, cellText, fit, widthOf } from '../../../src/observe/terminal/cells.js';

t.test('text from the network cannot control the terminal, and is bounded', async (t) => {
  t.equal(cellText('a\x1b[2J\nb', true), 'a\\u001b[2J\\nb');
  t.equal(cellText('\u202egnp.exe', true), '\\u202egnp.exe');
  t.equal(cellText('m\u00fcller', true), 'm\u00fcller');
  t.equal(cellText('m\u00fcller \u6f22', false), 'm?ller ?');
  t.ok(cellText('x'.repeat(1e6), true).length <= 512);
  t.ok(cellText('\ud83d\ude00'.repeat(1e5), true).isWellFormed(), 'no half of a character');
});

t.test('ASCII stays as it is', async (t) => {
  t.equal(asciiOf('plain ~'), 'plain ~');
  t.equal(asciiOf('\ud83d\ude00'), '?', 'one for each character');
});

t.test('wide characters take two cells, and combining marks none', async (t) => {
  t.equal(widthOf('abc'), 3);
  t.equal(widthOf('\u6f22\u5b57'), 4);
  t.equal(widthOf('e\u0301'), 1);
});

t.test('text fits its cells exactly', async (t) => {
  t.equal(fit('ab', 4, true), 'ab  ');
  t.equal(fit('ab', 4, true, 'right'), '  ab');
  t.equal(fit('abcdef', 4, true), 'abc\u2026');
  t.equal(fit('abcdef', 4, false), 'abc~');
  t.equal(fit('\u6f22\u5b57\u6f22', 4, true), '\u6f22\u2026 ', 'a wide character that does not fit leaves a gap');
  t.equal(fit('abc', 0, true), '');
  t.equal(fit('abc', 1, false), '~');
  for (const text of ['\u6f22e\u0301\u5b57x', 'plain', ''])
    for (const width of [1, 2, 3, 5, 9]) t.equal(widthOf(fit(text, width, true)), width);
});
