import t from 'tap';
import { shellOfDirectives } from '../../../src/cli/qsub/directives.js';

t.test('directives end at the first command, and -C says what they begin with', async (t) => {
  const cases: readonly (readonly [string, readonly string[], string | null])[] = [
    ['#!/bin/sh\n# a comment\n\n#PBS -l x -S /bin/a # -S /bin/b\necho\n', [], '/bin/a'],
    ['#PBS -S /bin/a\n#PBS -S/bin/b\n', [], '/bin/b'],
    ["#PBS -N '-S x'\n", [], null],
    ['echo\n#PBS -S /bin/a\n', [], null],
    ['#QQ -S /bin/a\n#PBS -S /bin/b\n', ['-C', '#QQ'], '/bin/a'],
    ['#PBS -S /bin/b\n', ['-C', ''], null],
  ];
  for (const [text, words, shell] of cases) t.equal(shellOfDirectives(text, words), shell, JSON.stringify(text));
});

t.test('PBS_DPREFIX says what they begin with where -C does not', async (t) => {
  process.env['PBS_DPREFIX'] = '#QQ';
  t.teardown(() => delete process.env['PBS_DPREFIX']);
  t.equal(shellOfDirectives('#QQ -S /bin/a\n#PBS -S /bin/b\n', []), '/bin/a');
  t.equal(shellOfDirectives('#QQ -S /bin/a\n#PBS -S /bin/b\n', ['-C', '#PBS']), '/bin/b');
});

t.test('words of a directive may be quoted, and end at a comment', async (t) => {
  t.equal(shellOfDirectives('#PBS -S "/bin/my shell"\n', []), '/bin/my shell');
  t.equal(shellOfDirectives("#PBS -S '/bin/a' #-S /bin/b\n", []), '/bin/a');
  t.equal(shellOfDirectives('\n  \n:\n#PBS -S /bin/a\n', []), '/bin/a', 'blank lines and : are no commands');
  t.equal(shellOfDirectives('', []), null);
});
