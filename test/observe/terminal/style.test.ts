import t from 'tap';
import { widthOf } from '../../../src/observe/terminal/cells.js';
import { line, styled } from '../../../src/observe/terminal/style.js';

const bare = (text: string) => text.replaceAll(/\p{Cc}\[[\d;]*m/gu, '');
const color = { utf8: true, color: true };
const plain = { utf8: true, color: false };

t.test('a line is exactly as wide as the screen', async (t) => {
  for (const width of [1, 4, 7, 20]) {
    const text = line(
      [
        { text: 'ab', style: 'bold' },
        { text: 'cdefg', style: 'alarm' },
      ],
      width,
      color,
    );
    t.equal(widthOf(bare(text)), width);
  }
  t.equal(bare(line([{ text: 'abc' }, { text: 'def' }], 5, plain)), `${'abcd\u2026'.slice(0, 3)}d\u2026`);
  t.equal(line([], 3, plain), '   ');
});

t.test('a style of the whole line replaces those of its parts', async (t) => {
  const text = line([{ text: 'ab', style: 'alarm' }, { text: 'c' }], 4, color, 'selected');
  t.notMatch(text, '\x1b[1;31m');
  t.equal(text.split('\x1b[30;46m').length, 4, 'also the rest of the line');
});

t.test('without colours, what matters is bold or reverse, and nothing has a colour', async (t) => {
  t.equal(styled('x', 'good', plain), 'x');
  t.equal(styled('x', 'alarm', plain), '\x1b[1mx\x1b[0m');
  t.equal(styled('x', 'selected', plain), '\x1b[7mx\x1b[0m');
  for (const style of ['plain', 'bold', 'dim', 'heading', 'selected', 'good', 'notice', 'alarm', 'question'] as const)
    t.notMatch(styled('x', style, plain), /\p{Cc}\[(?:\d;)*[34]\d/u);
});
