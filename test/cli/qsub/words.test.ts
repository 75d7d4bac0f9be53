import t from 'tap';
import { packWords, parseSubmission, scanWords } from '../../../src/cli/qsub/words.js';

t.test('options of proc_box come first, in any of its ways of writing; the rest is taken as getopt does', async (t) => {
  t.match(parseSubmission(['-sint', '5s', '--pids=3', '-report', '-zI', '-lselect=1', 'x']), {
    options: [
      { name: 'sint', text: '5s' },
      { name: 'pids', text: '3' },
      { name: 'report', text: 'true' },
    ],
    words: ['-zI', '-lselect=1', 'x'],
    script: 'x',
    shell: null,
    command: null,
  });
  t.match(parseSubmission(['-N', '-S', 'x', '-S', 'y']), { shell: { text: 'y', at: 4, offset: 0 }, script: 'x' });
  t.match(parseSubmission(['-zS/bin/sh']), { shell: { text: '/bin/sh', at: 0, offset: 3 }, script: '-' });
  t.match(parseSubmission(['-I']), { script: null });
  t.equal(packWords(['a', '', 'b c']), 'a;;b%20c;');
});

t.test('-- begins a command, and - is stdin', async (t) => {
  t.match(parseSubmission(['-N', 'x', '--', 'sleep', '-S', 'y']), { script: null, command: 3, shell: null });
  t.match(parseSubmission(['-']), { script: '-', command: null });
  t.match(parseSubmission([]), { script: '-', command: null, words: [] });
  t.match(parseSubmission(['--version']), { options: [], words: ['--version'] }, "what is qsub's own");
});

t.test('values are taken as getopt takes them', async (t) => {
  t.match(scanWords(['-zlx', 'a', '-l', 'y', '--long', '-V']), {
    values: [
      { letter: 'l', text: 'x', at: 0, offset: 3 },
      { letter: 'l', text: 'y', at: 3, offset: 0 },
    ],
    operands: ['a'],
    flags: 'zV',
    command: null,
  });
  t.match(scanWords(['-l']), { values: [{ letter: 'l', text: '', at: 1 }] });
});

t.test('what is wrong is said before anything is submitted', async (t) => {
  const cases: readonly (readonly [readonly string[], string | RegExp])[] = [
    [['--memroy', '1G', 'x'], 'unknown option --memroy; did you mean "memory"?; proc_box --help lists them all'],
    [['--memory'], 'option --memory needs a value'],
    [['--memory', 'much'], /^--memory: "much" is not a size/],
    [['--uri', 'amqp://u:s3cret@h'], '--uri holds a password, which qstat and ps would show: use --uri-file'],
    [['-S'], '-S needs a value'],
  ];
  for (const [words, message] of cases)
    t.throws(() => parseSubmission(words), { name: 'SpecError', message }, words.join(' '));
});

t.test('any words become one', async (t) => {
  t.equal(packWords([]), '');
  t.equal(packWords(['a;b%', 'ä', '/x=1,2:3@h+-_.']), 'a%3Bb%25;%C3%A4;/x=1,2:3@h+-_.;');
});
