import t from 'tap';
import { type AdoptInput, adoptLimits, adoptSpec, parseAdopt } from '../../src/adopt/options.js';
import { SpecError } from '../../src/errors.js';

t.test('the words: own options, and those of a box with their values', async (t) => {
  const parse = (...words: string[]) => parseAdopt(['proc_box', 'adopt', ...words]);
  t.strictSame(parse('--pid', '7', '--rlimit', 'nofile=10', '-debug', '--pids=5', '--detach'), {
    pid: 7,
    detach: true,
    logFile: null,
    pidFile: null,
    boxWords: ['--rlimit=nofile=10', '-debug=true', '--pids=5'],
  });
  t.match(parse('--log-file=/a b', '-pid=9', '--pid-file', '/c'), { pid: 9, logFile: '/a b', pidFile: '/c' });
  t.strictSame(parse('--pid', '7', '--json', '--pid')?.boxWords, ['--json=--pid'], 'a value may look like an option');
  t.equal(parse('--pid', 'x', '--help'), null);
  for (const [words, message] of [
    [[], /no process given: expected --pid/],
    [['--pid'], /--pid needs a value/],
    [['--pid', 'x'], /--pid: /],
    [['--pid', '0'], /--pid: /],
    [['--pid', '7', 'sleep'], /"sleep" is not an option; usage: proc_box adopt/],
    [['--pid', '7', '--', 'sleep'], /"--" is not an option/],
    [['--pid', '7', '--memry', '1G'], /unknown option "--memry"; did you mean --memory/],
    [['--pid', '7', '--memory'], /--memory needs a value/],
  ] as const) {
    t.throws(() => parse(...words), { name: 'SpecError', message });
  }
});

/** A host with this file for the site, or with none. */
const input = (site?: string, failsOpen = false): AdoptInput => ({
  settings: [],
  failsOpen,
  files: { uid: 1000, read: () => (site === undefined ? 'ENOENT' : { text: site, mode: 0o644, uid: 0 }) },
  loadYaml: () => {
    throw new Error('the YAML parser is not needed');
  },
});

t.test("the time limit is the user's, or that of the job it is in; ten minutes are for a new job", async (t) => {
  const limit = (words: readonly string[], environment = {}) => {
    const { timeoutMs, timeoutSource } = adoptSpec(words, environment, input()).spec;
    return [timeoutMs, timeoutSource];
  };
  t.strictSame(limit([]), [0, 'default']);
  t.strictSame(limit(['--timeout', '1h']), [3_600_000, 'command line']);
  const pbs = { PBS_JOBID: '1.s', PBS_WALLTIME: '3600' };
  t.strictSame(limit([], pbs), [0, 'scheduler'], 'it has begun before');
  const endSec = Math.round(Date.now() / 1000) + 3600;
  const [slurmMs] = limit([], { SLURM_JOB_ID: '1', SLURM_JOB_END_TIME: String(endSec) });
  t.ok(Number(slurmMs) > 3_590_000 && Number(slurmMs) < 3_600_000);
});

t.test('with --failure open what can be understood counts', async (t) => {
  t.throws(() => adoptSpec(['--memory', 'much'], {}, input()), {
    name: 'SpecError',
    message: /--memory: "much" is not/,
  });
  const open = adoptSpec(['--memory', 'much', '--pids', '5', '--failure', 'open'], {}, input(undefined, true));
  t.match(open.spec.resources, { pids: 5 });
  t.equal(open.spec.resources.memory, undefined);
  t.match(
    open.warnings.at(-1),
    /^--memory: "much" is not a size.*; the job runs in a box without that \(--failure open\)$/,
  );
});

t.test('the limits of the command line alone, where the box cannot be had', async (t) => {
  const error = new SpecError('no groups');
  const { spec, warnings } = adoptLimits(['--pids', '5', '--uri', 'amqp://h'], {}, input(), error);
  t.match(spec, { resources: { pids: 5 }, uris: [], enforce: 'best-effort' });
  t.match(warnings.at(-1), /^no groups; the job runs with its command line's limits and nothing else of a box/);
  t.throws(() => adoptLimits(['--uri', 'amqp://h'], {}, input(), error), error);
});
