import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseSignal } from '../../src/options/signals.js';
import { VERBS } from '../../src/options/table/verbs.js';
import { OPTION_NAMES, OPTIONS } from '../../src/options/table.js';
import { findScheduler } from '../../src/scheduler/identity.js';
import { needsOwnNode } from '../fixtures/agent.js';
import { sessionOf, until } from '../fixtures/processes.js';
import { job, killQuietly, type RunOptions, run, start } from '../fixtures/run.js';

/** `-l pvmem=300mb`: V8 cannot reserve its address space, and the native front end runs the job by itself. */
const small = (more: RunOptions = {}): RunOptions => ({
  ...more,
  through: ['sh', '-c', 'ulimit -v 307200; exec "$@"', 'sh'],
});
const WARNING =
  'proc_box: warning: the address space is limited to 300 MiB (-l pvmem, ulimit -v) and proc_box needs 1 GiB: the job runs, but remote control, statistics, the config file and limits of the box other than --timeout and --rlimit are off; ask for at least -l pvmem=1gb, or for -l mem instead\n';
/** CAP_SYS_RESOURCE raises hard limits: then Node starts. */
const status = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
const raises = (BigInt(`0x${status}`) >> 24n) & 1n ? 'may raise hard limits, so that Node starts' : false;
const skip = needsOwnNode || raises;

t.test(
  'the job runs with its limit, its streams and its status, and a warning says what is off',
  { skip },
  async (t) => {
    const words = [
      'sh',
      '-c',
      'cat; echo "$0" "$@" $(ulimit -v); env | grep -c PBOX_; echo err >&2; exit 7',
      'a b',
      '',
    ];
    const options = small({
      options: ['--memory=4G', '-report', '--pids', '5', '--argv0', 'x'],
      input: 'in\n',
      env: { PBOX_SINT: '1s' },
    });
    const { code, stdout, stderr } = await run(t, words, options);
    t.strictSame([code, stdout], [7, 'in\na b  307200\n0\n']);
    t.equal(stderr.replace(/\d+\.\d\d/, 'N'), `${WARNING}err\nTask elapsed time: N seconds.\n`);
  },
);

t.test('what cannot be run has its statuses; strict limits are refused', { skip }, async (t) => {
  for (const [words, options, code, message] of [
    [['nonsuch'], [], 127, /error: run nonsuch: No such file/],
    [['/etc'], [], 126, /error: run \/etc: Permission denied/],
    [[], [], 125, /error: no command given; usage/],
    [['true'], ['--enforce', 'strict'], 125, /error: --enforce strict: the address space is limited to 300 MiB/],
  ] as const) {
    const result = await run(t, words, small({ options }));
    t.equal(result.code, code);
    t.match(result.stderr, message);
  }
});

t.test('signals, the stop ladder and the end of the box are as with Node', { skip }, async (t) => {
  const running = start(t, job('signal-log.py'), small());
  await until(() => running.stdout().includes('ready'), 'the job runs');
  for (const name of ['SIGUSR1', 'SIGCONT', 'SIGTERM'] as const) {
    running.kill(name);
    await until(() => running.stdout().includes(name), `${name} has arrived`);
  }
  t.match(await running.done, { code: 40, stdout: 'ready\nSIGUSR1\nSIGCONT\nSIGTERM\n' });

  const left = start(t, ['sh', '-c', '(exec setsid sleep 1000); echo never'], small());
  await until(() => left.members().length >= 4, 'the box has a process outside of the session');
  left.kill('SIGINT');
  left.kill('SIGINT');
  await left.end();
  t.strictSame(left.members(), []);

  const killed = start(t, ['sh', '-c', 'setsid sleep 1000 & echo ready; sleep 1000'], small());
  await until(() => killed.stdout().includes('ready'), 'the job runs');
  killed.kill('SIGKILL');
  await killed.done;
  await until(() => killed.members().length === 0, 'nothing survives the wrapper');
});

t.test('inside a PBS job: each signal to the session once, and 256+n', { skip }, async (t) => {
  const running = start(t, job('signal-log.py'), small({ detached: true, env: { PBS_JOBID: '7.srv' } }));
  await until(() => running.stdout().includes('ready'), 'the job runs');
  for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const) {
    for (const pid of sessionOf(running.pid)) killQuietly(pid, name);
    await until(() => running.stdout().includes(name), `${name} has arrived`);
  }
  t.match(await running.done, { code: 40, stdout: 'ready\nSIGUSR1\nSIGUSR2\nSIGTERM\n' });
  t.match(await run(t, ['sh', '-c', 'kill -USR1 $$'], small({ env: { PBS_JOBID: '7.srv' } })), { signal: 'SIGUSR1' });
  t.match(await run(t, ['sh', '-c', 'kill -USR1 $$'], small()), { code: 138 });
});

t.test('a soft limit is the job’s alone: Node starts', async (t) => {
  const through = ['sh', '-c', 'ulimit -S -v 307200; exec "$@"', 'sh'];
  const { stdout, stderr } = await run(t, ['sh', '-c', 'ulimit -v'], { through });
  t.equal(stdout, '307200\n');
  t.match(stderr, /started in box/);
});

t.test(
  'the wall clock limit asks with the stop signal, kills after the grace period, and is 124',
  { skip },
  async (t) => {
    const timed = ['--timeout=300ms', '--grace', '200ms', '-stop-signal', 'SIGUSR1'];
    const { code, stdout, stderr } = await run(t, job('signal-log.py'), small({ options: timed }));
    t.strictSame([code, stdout], [124, 'ready\nSIGUSR1\n']);
    t.match(stderr, /warning: the wall clock limit is over \(--timeout\)/);

    const quick = small({ options: ['--timeout=1h'], env: { PBOX_TIMEOUT: '1ms', PBOX_GRACE: '50ms' } });
    t.match(await run(t, ['sh', '-c', 'sleep 0.1; exit 3'], quick), { code: 3 }, 'the command line counts');
    const left = await run(t, ['sh', '-c', "(trap '' TERM; exec sleep 1000) & exit 4"], quick);
    t.equal(left.code, 4);
    t.ok(left.elapsedMs < 8000, 'what is left has the grace period');
  },
);

t.test('rlimits are those of --rlimit, and of PBOX_RLIMIT where there is none', { skip }, async (t) => {
  const shows = ['sh', '-c', 'echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -St) $(ulimit -Sc) $(ulimit -Ss)'];
  const options = [
    '--rlimit',
    'nofile=100:200,cpu=1m',
    '--rlimit=core=1K',
    '-rlimit',
    'stack=1.5MiB:',
    '--rlimit',
    'nofile=50:60',
  ];
  t.equal((await run(t, shows, small({ options }))).stdout, '50 60 60 2 1536\n');
  const env = { PBOX_RLIMIT: 'nofile=70' };
  t.match((await run(t, shows, small({ env }))).stdout, /^70 70 /);
  t.match((await run(t, shows, small({ env, options: ['--rlimit', 'cpu=90'] }))).stdout, /^(?!70)\d+ \d+ 90 /);
});

t.test('values that do not parse are refused, with their source', { skip }, async (t) => {
  for (const [options, env, message] of [
    [
      ['--timeout', '1:99'],
      {},
      /error: --timeout: "1:99": expected a duration \(1h30m, 1d\), seconds \(90\), or as in Slurm/,
    ],
    [[], { PBOX_TIMEOUT: '1-24' }, /error: PBOX_TIMEOUT: "1-24": expected a duration/],
    [['--grace=1h30'], {}, /error: --grace: "1h30": expected a duration/],
    [[], { PBOX_GRACE: 'soon' }, /error: PBOX_GRACE: "soon": expected a duration/],
    [['--stop-signal', 'NONE'], {}, /error: --stop-signal: "NONE": expected a name or a number/],
    [['--rlimit', 'nofil=3'], {}, /error: --rlimit: "nofil=3": expected a limit as in prlimit\(1\)/],
    [[], { PBOX_RLIMIT: 'as=3X' }, /error: PBOX_RLIMIT: "3X": expected a limit/],
    [['--rlimit', 'nofile=9:3'], {}, /error: --rlimit: Invalid argument/],
  ] as const) {
    const { code, stderr } = await run(t, ['true'], small({ options, env }));
    t.equal(code, 125, String(message));
    t.match(stderr, message);
  }
});

t.test('the native lists are those of the tables', async (t) => {
  const source = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'native', 'src', 'front', 'options.cc');
  const list = (name: string) => {
    const text = new RegExp(`${name}\\[\\] = \\{([^}]*)\\}`).exec(readFileSync(source, 'utf8'))?.[1] ?? '';
    return [...text.matchAll(/"([^"]+)"/g)].map(([, word]) => word!);
  };
  const booleans = OPTION_NAMES.filter((name) => OPTIONS[name].type === 'boolean');
  t.strictSame(list('kVerbs'), VERBS);
  t.strictSame(list('kBooleans').sort(), [...booleans].sort());
  for (const mark of list('kSchedulers')) t.not(findScheduler({ [mark]: '1' }), 'none', mark);
  t.equal(list('kSchedulers').length, 5);
  t.strictSame(
    list('kSignals').map((name) => parseSignal(name)),
    list('kSignals').map((_, index) => index + 1),
  );
});
