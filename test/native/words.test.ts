import { reapChild } from 'cgroup-utils-native';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { parseCommandLine } from '../../src/options/command-line.js';
import { OPTION_NAMES, OPTIONS, type Option } from '../../src/options/table.js';
import { host } from '../fixtures/keeper.js';
import { until } from '../fixtures/processes.js';

/** What the front end reads of the words, and tells with `hello`. */
async function read(t: Test, words: readonly string[], env: Record<string, string> = {}) {
  const { keeper, event } = host(t, words, env);
  const { argv, ...hello } = await event('hello');
  keeper.close();
  await until(() => reapChild(keeper.pid), 'the keeper ends');
  return { ...hello, command: argv.slice(hello.commandIndex), fallback: argv.slice(hello.fallbackIndex) };
}

t.test('the command begins where Go would find it', async (t) => {
  const cases: [string[], string[]][] = [
    [['-sint', '5s', 'x'], ['x']],
    [['--sint=5s', 'x'], ['x']],
    [['-debug', 'false'], ['false']],
    [['-h'], []],
    [['-sint', '--', 'x'], ['x']],
    [['-sint', '--', '--', 'x'], ['x']],
    [['--', '-x'], ['-x']],
    [
      ['-debug', '--', '--', 'x'],
      ['--', 'x'],
    ],
    [
      ['-', '-debug'],
      ['-', '-debug'],
    ],
    [
      ['x', '-debug', '--', 'y'],
      ['x', '-debug', '--', 'y'],
    ],
    [
      ['', '-debug'],
      ['', '-debug'],
    ],
    [['-sint'], []],
    [[], []],
  ];
  for (const [words, command] of cases) t.strictSame((await read(t, words)).command, command, words.join(' '));
});

t.test('where words may be wrong, only -- tells', async (t) => {
  const cases: [string[], string[]][] = [
    [['--pids', '5', './job', '--pids'], []],
    [['--nosuch', './job'], []],
    [['--nosuch', '--', './job'], ['./job']],
    [['--memory', '--pids', '5', './job'], []],
    [['--memory', '--pids', '5', '--', './job'], ['./job']],
    [['--argv0', '--login', '--', './job'], ['./job']],
    [['--memory', '--', './job'], ['./job']],
    [['--'], []],
  ];
  for (const [words, command] of cases) t.strictSame((await read(t, words)).fallback, command, words.join(' '));
});

t.test('verbs count as the first word, --help and --version among the options', async (t) => {
  const cases: [string[], string][] = [
    [['ctl', 'x'], 'ctl'],
    [['--', 'ctl'], ''],
    [['-debug', 'ctl'], ''],
    [['adopt', '--help'], 'adopt'],
    [['--pids', '5', '-h'], '--help'],
    [['--help=false', 'x'], ''],
    [['--version=maybe', 'x'], ''],
    [['-version', 'x'], '--version'],
    [['x', '--version'], ''],
  ];
  for (const [words, verb] of cases) t.equal((await read(t, words)).verb, verb, words.join(' '));
});

t.test('the last --failure and --debug count, before variables, and no text in a value does', async (t) => {
  const cases: [string[], Record<string, string>, boolean, boolean][] = [
    [[], {}, false, false],
    [['--failure', 'closed', '-failure=open'], {}, true, false],
    [['--failure', 'open', '--failure', 'closed'], {}, false, false],
    [['--json', '{"note":"--failure open"}', 'x', '--failure', 'open'], {}, false, false],
    [[], { PBOX_FAILURE: 'open', PBOX_DEBUG: '1' }, true, true],
    [['--failure=closed', '--debug=false'], { PBOX_FAILURE: 'open', PBOX_DEBUG: 'true' }, false, false],
    [['-debug'], { PBOX_DEBUG: 'no' }, false, true],
    [['--debug=T', '--debug=maybe'], {}, false, true],
    [['--', '--debug'], {}, false, false],
  ];
  for (const [words, env, failsOpen, debug] of cases)
    t.match(await read(t, words, env), { failsOpen, debug }, `${words.join(' ')} ${JSON.stringify(env)}`);
});

t.test('both readers agree on all options, whatever their values and the command are', async (t) => {
  const names = OPTION_NAMES.filter((name) => (OPTIONS[name] as Option).type !== 'boolean');
  const flags = OPTION_NAMES.filter((name) => (OPTIONS[name] as Option).type === 'boolean');
  const text = fc.string().filter((word) => !word.includes('\0'));
  const option = fc.oneof(
    fc.tuple(fc.constantFrom(...names), text, fc.boolean()).map(([name, value, joined]) => ({
      words: joined ? [`-${name}=${value}`] : [`--${name}`, value],
      given: [name, value],
    })),
    fc.constantFrom(...flags).map((name) => ({ words: [`--${name}=0`], given: [name, '0'] })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(option, { maxLength: 8 }), fc.array(text), async (options, job) => {
      const typed = options.flatMap(({ words }) => words);
      const { command } = await read(t, [...typed, '--', ...job]);
      const given = parseCommandLine([...typed, '--'], command).given.map(({ name, text }) => [name, text]);
      return JSON.stringify([given, command]) === JSON.stringify([options.map(({ given }) => given), job]);
    }),
    { numRuns: 40 },
  );
});
