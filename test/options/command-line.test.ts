import t from 'tap';
import { SpecError } from '../../src/errors.js';
import { lenientCommandLine, parseCommandLine } from '../../src/options/command-line.js';

const parse = (...words: string[]) => parseCommandLine(words).given.map(({ name, text }) => `${name}=${text}`);

t.test('options are read as Go reads them', async (t) => {
  const cases: [string[], string[]][] = [
    [['-sint', '5s'], ['sint=5s']],
    [['--sint', '5s'], ['sint=5s']],
    [['-sint=5s'], ['sint=5s']],
    [['--sint=5s'], ['sint=5s']],
    [['-json={"a":"b=c"}'], ['json={"a":"b=c"}']],
    [['-json='], ['json=']],
    [['-debug'], ['debug=true']],
    [['-debug=false'], ['debug=false']],
    [['-h'], ['help=true']],
    [['-sint', '--'], ['sint=--']],
    [['-sint', '-5s'], ['sint=-5s']],
    [['--'], []],
    [['-debug', '--'], ['debug=true']],
    [
      ['-rlimit', 'core=0', '-rlimit', 'cpu=1'],
      ['rlimit=core=0', 'rlimit=cpu=1'],
    ],
    [[], []],
  ];
  for (const [words, given] of cases) t.strictSame(parse(...words), given, words.join(' '));
});

t.test('what is no option is refused with the near name', async (t) => {
  const cases: [string[], string][] = [
    [['-tiemout', '5s'], 'unknown option "-tiemout"; did you mean -timeout?'],
    [['--multirmtkey'], 'unknown option "--multirmtkey"; did you mean --multiRmtKey?'],
    [['-9'], 'unknown option "-9"; "proc_box --help" lists them'],
    [['-constructor'], 'unknown option "-constructor"; "proc_box --help" lists them'],
    [['---sint'], '"---sint" is not an option: expected -x, --x, -x=value or --x=value'],
    [['-=x'], '"-=x" is not an option: expected -x, --x, -x=value or --x=value'],
    [['--=x'], '"--=x" is not an option: expected -x, --x, -x=value or --x=value'],
    [['-sint'], '-sint needs a value: for example "-sint 1m"'],
    [['-json'], '-json needs a value: for example "-json <object>"'],
  ];
  for (const [words, message] of cases) t.throws(() => parse(...words), new SpecError(message), words.join(' '));
});

t.test('a message shows the option as it was typed', async (t) => {
  const origins = (...words: string[]) => parseCommandLine(words).given.map(({ origin }) => origin);
  t.strictSame(origins('-timeout', '5s', '--sint=1m', '-h', '--debug'), ['-timeout', '--sint', '-h', '--debug']);
});

t.test('a word after a boolean that reads as its value is warned of, and is the command all the same', async (t) => {
  for (const word of ['true', 'false', '0', '1', 'T', 'yes', 'off']) {
    const { warnings } = parseCommandLine(['-report'], [word, './job']);
    t.strictSame(warnings, [
      `"${word}" after -report is taken for the command: if it is meant as the value, write -report=${word}`,
    ]);
  }
  for (const [words, command] of [
    [['--report'], './true'],
    [['--report', '--'], 'true'],
    [['--report=true'], 'true'],
    [['-sint', '0'], 'true'],
    [[], 'true'],
    [['--report', '-debug'], 'x'],
  ] as const) {
    t.strictSame(parseCommandLine(words, [command]).warnings, [], [...words, command].join(' '));
  }
});

t.test('of words of which some are wrong the others are read', async (t) => {
  const read = (...words: string[]) => lenientCommandLine(words).given.map(({ name, text }) => `${name}=${text}`);
  t.strictSame(read('--nosuch', 'x', '--pids', '5'), ['pids=5']);
  t.strictSame(read('--memory', '--pids', '5', '--sint'), ['memory=--pids', 'pids=5']);
  t.strictSame(read('---x', '-debug', 'y', '-sint=1s'), ['debug=true', 'sint=1s']);
});
