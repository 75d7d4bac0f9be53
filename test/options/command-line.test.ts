import fc from 'fast-check';
import t from 'tap';
import { SpecError } from '../../src/errors.js';
import { parseCommandLine } from '../../src/options/command-line.js';
import { OPTION_NAMES, OPTIONS, type Option } from '../../src/options/table.js';

const parse = (...words: string[]) => {
  const { given, commandIndex } = parseCommandLine(['proc_box', ...words]);
  return { given: given.map(({ name, text }) => `${name}=${text}`), command: words.slice(commandIndex - 1) };
};

t.test('options are read as Go reads them', async (t) => {
  const cases: [string[], string[], string[]][] = [
    [['-sint', '5s', 'x'], ['sint=5s'], ['x']],
    [['--sint', '5s', 'x'], ['sint=5s'], ['x']],
    [['-sint=5s', 'x'], ['sint=5s'], ['x']],
    [['--sint=5s', 'x'], ['sint=5s'], ['x']],
    [['-json={"a":"b=c"}', 'x'], ['json={"a":"b=c"}'], ['x']],
    [['-json=', 'x'], ['json='], ['x']],
    [['-debug', 'x'], ['debug=true'], ['x']],
    [['-debug=false', 'x'], ['debug=false'], ['x']],
    [['-debug', 'false'], ['debug=true'], ['false']],
    [['-h'], ['help=true'], []],
    [['-sint', '--', 'x'], ['sint=--'], ['x']],
    [['-sint', '-5s', 'x'], ['sint=-5s'], ['x']],
    [['--', '-x'], [], ['-x']],
    [['-debug', '--', '--', 'x'], ['debug=true'], ['--', 'x']],
    [['-', '-debug'], [], ['-', '-debug']],
    [['x', '-debug', '--', 'y'], [], ['x', '-debug', '--', 'y']],
    [['', '-debug'], [], ['', '-debug']],
    [['-rlimit', 'core=0', '-rlimit', 'cpu=1', 'x'], ['rlimit=core=0', 'rlimit=cpu=1'], ['x']],
    [[], [], []],
  ];
  for (const [words, given, command] of cases) t.strictSame(parse(...words), { given, command }, words.join(' '));
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
  const origins = (...words: string[]) => parseCommandLine(['proc_box', ...words]).given.map(({ origin }) => origin);
  t.strictSame(origins('-timeout', '5s', '--sint=1m', '-h', '--debug', 'x'), ['-timeout', '--sint', '-h', '--debug']);
});

t.test('a word after a boolean that reads as its value is warned of, and is the command all the same', async (t) => {
  for (const word of ['true', 'false', '0', '1', 'T', 'yes', 'off']) {
    const { warnings, commandIndex } = parseCommandLine(['proc_box', '-report', word, './job']);
    t.equal(commandIndex, 2);
    t.strictSame(warnings, [
      `"${word}" after -report is taken for the command: if it is meant as the value, write -report=${word}`,
    ]);
  }
  for (const words of [
    ['--report', './true'],
    ['--report', '--', 'true'],
    ['--report=true', 'true'],
    ['-sint', '0', 'true'],
    ['true'],
    ['--report', '-debug', 'x'],
  ]) {
    t.strictSame(parseCommandLine(['proc_box', ...words]).warnings, [], words.join(' '));
  }
});

t.test('the command reaches the job untouched, whatever it is', async (t) => {
  const names = OPTION_NAMES.filter((name) => (OPTIONS[name] as Option).type !== 'boolean');
  const option = fc
    .tuple(fc.constantFrom(...names), fc.string(), fc.boolean())
    .map(([name, text, joined]) => (joined ? [`-${name}=${text}`] : [`--${name}`, text]));
  fc.assert(
    fc.property(fc.array(option), fc.array(fc.string()), (options, command) => {
      const result = parse(...options.flat(), '--', ...command);
      return result.given.length === options.length && JSON.stringify(result.command) === JSON.stringify(command);
    }),
  );
  t.pass();
});
