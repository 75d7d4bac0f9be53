import { readFileSync } from 'node:fs';
import t from 'tap';
import { ENTER, LEAVE, Screen } from '../../../src/observe/terminal/screen.js';

const size = { columns: 3, rows: 3 };

t.test('only lines that have changed are written, in one synchronized update', async (t) => {
  const screen = new Screen();
  const first = screen.frame(['aaa', 'bbb', 'ccc'], size);
  t.equal(first, '\x1b[?2026h\x1b[1;1H\x1b[0maaa\x1b[2;1H\x1b[0mbbb\x1b[3;1H\x1b[0mccc\x1b[0m\x1b[?2026l');
  t.equal(screen.frame(['aaa', 'bbb', 'ccc'], size), '', 'nothing has changed');
  t.equal(screen.frame(['aaa', 'xxx', 'ccc'], size), '\x1b[?2026h\x1b[2;1H\x1b[0mxxx\x1b[0m\x1b[?2026l');
  screen.forget();
  t.match(screen.frame(['aaa', 'xxx', 'ccc'], size), '\x1b[1;1H', 'after a resize everything');
});

t.test('a frame with fewer lines blanks the others, and no frame is longer than the screen', async (t) => {
  const screen = new Screen();
  screen.frame(['aaa', 'bbb', 'ccc'], size);
  t.match(screen.frame(['aaa'], size), '\x1b[2;1H\x1b[0m   \x1b[3;1H\x1b[0m   ');
  t.notMatch(screen.frame(['a', 'b', 'c', 'd', 'e'], size), '\x1b[4;');
  t.notMatch(ENTER + screen.frame(['a', 'b', 'c'], size), '\n', 'nothing scrolls');
});

t.test('the front end gives the terminal back in the same way', async (t) => {
  const native = readFileSync(new URL('../../../native/src/front/terminal.cc', import.meta.url), 'utf8');
  const [, text = ''] = /kLeave\[\] = "(.*?)"/.exec(native) ?? [];
  t.equal(JSON.parse(`"${text.replaceAll('\\x', '\\u00')}"`), `\x18${LEAVE}`);
  for (const mode of ['1049', '25', '7']) t.ok(ENTER.includes(`?${mode}`) && LEAVE.includes(`?${mode}`));
});
