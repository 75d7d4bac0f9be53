import t from 'tap';
import { canMove, lookOf } from '../../../src/observe/terminal/look.js';

t.test('the first locale that is set decides about UTF-8', async (t) => {
  t.ok(lookOf({ LANG: 'en_US.UTF-8' }).utf8);
  t.ok(lookOf({ LC_CTYPE: 'C.utf8', LANG: 'C' }).utf8);
  t.notOk(lookOf({ LC_ALL: 'C', LANG: 'en_US.UTF-8' }).utf8);
  t.ok(lookOf({ LC_ALL: '', LANG: 'de_DE.UTF8' }).utf8, 'an empty variable counts as not set');
  t.notOk(lookOf({}).utf8);
  t.notOk(lookOf({ LANG: 'en_US.UTF-8' }, true).utf8, '--ascii');
});

t.test('colours need a terminal that has them, and nobody who does not want them', async (t) => {
  t.ok(lookOf({ TERM: 'xterm-256color' }).color);
  t.ok(lookOf({ TERM: 'linux', NO_COLOR: '' }).color, 'an empty NO_COLOR says nothing');
  t.notOk(lookOf({ TERM: 'xterm', NO_COLOR: '1' }).color);
  for (const term of ['dumb', 'vt100', 'vt220', '']) t.notOk(lookOf({ TERM: term }).color, term);
  t.notOk(lookOf({}).color);
});

t.test('a screen needs a terminal that moves its cursor', async (t) => {
  t.ok(canMove({ TERM: 'vt100' }));
  t.notOk(canMove({ TERM: 'dumb' }));
  t.notOk(canMove({}));
});
