import { spawnSync } from 'node:child_process';
import t from 'tap';
import { PROC_BOX, plainEnvironment, run } from '../fixtures/run.js';

/** A slip on the command line is answered with what was probably meant. */

const SECRET = 's3cr3t-pass';

const MEANT: readonly (readonly [readonly string[], number, RegExp])[] = [
  [['list'], 127, /run list: not found; it is not on PATH; did you mean "proc_box spool list"\?/],
  [['adpot'], 127, /did you mean "proc_box adopt"\?/],
  [['statsu'], 127, /did you mean "proc_box ctl --job <id> status"\?/],
  [['keygen'], 127, /did you mean "proc_box ctl keygen"\?/],
  [['version'], 127, /did you mean "proc_box --version"\?/],
  [['no-such-program-of-anybody'], 127, /not found; it is not on PATH\n/],
  [['./list'], 127, /run \.\/list: not found; there is no such file\n/],
  [['/tmp'], 126, /run \/tmp: it is a directory; name a program in it\n/],
  [['/tmp/'], 126, /it is a directory/],
  [[`amqp://u:${SECRET}@h/`], 127, /run amqp:\/\/\*\*\*@h\/|run amqp:\/\/u:\*\*\*@h\/.*write --uri before it/],
  [[`amqps://u:${SECRET},x@h1,h2/`], 127, /write --uri before it/],
  [[`PASSWORD=${SECRET}`, 'make'], 127, /a variable is set before proc_box: "PASSWORD=\.\.\. proc_box \.\.\."/],
  [['-debug', '0', './job'], 127, /"0" after -debug is taken for the command: .*write -debug=0\n/],
];

for (const [command, status, message] of MEANT) {
  t.test(`proc_box ${command.join(' ').replace(SECRET, '...')}`, async (t) => {
    const result = await run(t, command);
    t.equal(result.code, status);
    t.match(result.stderr, message);
    t.notMatch(result.stderr + result.stdout, SECRET);
  });
}

t.test('a boolean before a word that reads as its value: the word is run, and there is a warning', async (t) => {
  const { code, stderr } = await run(t, ['true', './job'], { options: ['--report'] });
  t.equal(code, 0);
  t.match(
    stderr,
    /warn: "true" after --report is taken for the command: if it is meant as the value, write --report=true\n/,
  );
});

t.test('messages show options as they were typed', async (t) => {
  const message = async (...options: string[]) => (await run(t, ['true'], { options })).stderr;
  t.match(await message('-timeout', 'soon'), /error: -timeout: "soon"/);
  t.match(await message('--timeout', 'soon'), /error: --timeout: "soon"/);
  t.match(await message('-timeuot', '5s'), /unknown option "-timeuot"; did you mean -timeout\?/);
  t.match(await message('--timeuot', '5s'), /unknown option "--timeuot"; did you mean --timeout\?/);
});

t.test('0 is no limit, as for --timeout', async (t) => {
  const limits = ['--memory', '--memory-high', '--pids', '--cpus', '--cpu-time', '--timeout', '--stdoutlimit'];
  const options = limits.flatMap((name) => [name, '0']);
  const { code, stderr } = await run(t, ['true'], { options });
  t.equal(code, 0, stderr);
  t.match(stderr, /: no wall clock limit \(command line\)\n/, 'and no other one');
  t.match((await run(t, ['true'], { options: ['--memory', '0.0G'] })).code, 0);
  t.match(await run(t, ['true'], { options: ['--memory', '1'] }), { code: 125, stderr: /too small/ });
});

t.test('what ctl was meant to do', async (t) => {
  const ctl = (...words: string[]) => {
    const env = { ...plainEnvironment(), PBOX_CONFIG: 'none', PBOX_URI: 'amqp://127.0.0.1:1' };
    const { status, stderr } = spawnSync(PROC_BOX, ['ctl', ...words], { encoding: 'utf8', env });
    return { status, stderr };
  };
  const cases: [string[], RegExp][] = [
    [['status', '--job', '42'], /options come before the command; did you mean "proc_box ctl --job 42 status"\?\n/],
    [['--wait', '1s', 'stop', '5s', '-job=42'], /did you mean "proc_box ctl --wait 1s -job=42 stop 5s"\?\n/],
    [
      ['--job', 'status'],
      /no command given: --job took "status" as its value; did you mean "proc_box ctl --job <id> status"\?\n/,
    ],
    [['--job', '42', 'pause'], /unknown command "pause"; did you mean "suspend"\?\n/],
    [['--job', '42', 'Continue'], /unknown command "Continue"; did you mean "resume"\?\n/],
    [['--job', '42', 'stauts'], /unknown command "stauts"; did you mean "status"\?\n/],
    [['-jbo', '42', 'status'], /unknown option "-jbo"; did you mean -job\?\n/],
    [['--timeout', '1s', '--job', '42', 'status'], /--timeout is an option of a box, not of "proc_box ctl"/],
    [[`amqp://u:${SECRET}@h/`, '--job', '42', 'status'], /options come before the command/],
  ];
  for (const [words, message] of cases) {
    const { status, stderr } = ctl(...words);
    t.equal(status, 125, words.join(' '));
    t.match(stderr, message, words.join(' '));
    t.notMatch(stderr, SECRET);
  }
  t.equal(ctl('--job', '42', '--wait', '0', 'kill', '-9').status, 125, '-9 is an argument; nobody listens there');
});
