import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { run, start } from '../fixtures/run.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** Contract 2: one line on stderr, before `Task elapsed time`, says why the job ended and who asked. */

const operator = await connectOperator(t, await sharedBroker(t));

/** Our lines between the start line and `Task elapsed time`. */
function told(t: Test, stderr: string): string[] {
  const [before, after] = stderr.split(/^Task elapsed time: .*\n/m);
  t.equal(after, '', 'Task elapsed time is the last line');
  return (before ?? '')
    .split('\n')
    .filter((line) => line.startsWith('proc_box: ') && !/ started in box |^proc_box: warn: /.test(line));
}

async function ends(t: Test, command: readonly string[], options: readonly string[], line: RegExp | null, env = {}) {
  const { stderr, code } = await run(t, command, { options, env });
  const lines = told(t, stderr);
  t.equal(lines.length, line === null ? 0 : 1, `exactly one line: ${JSON.stringify(lines)}`);
  if (line !== null) t.match(lines[0], line);
  return { stderr, code };
}

t.test('a limit of ours is told with its value and where it came from', async (t) => {
  const folder = t.testdir({ 'config.yaml': '# the site\ntimeout: 100ms\n' });
  const sleep = ['sleep', '60'];
  await ends(t, sleep, ['--timeout', '100ms'], /^proc_box: time limit of 100 ms \(--timeout\) reached$/);
  await ends(t, sleep, [], /time limit of 100 ms \(PBOX_TIMEOUT\) reached$/, { PBOX_TIMEOUT: '0.1s' });
  const byFile = await run(t, sleep, { bare: true, options: ['-uri', 'none', '--config', `${folder}/config.yaml`] });
  t.match(told(t, byFile.stderr), [/time limit of 100 ms \(\S+config\.yaml:2: timeout\) reached$/]);
  const inJob = { SLURM_JOB_ID: '7', SLURM_JOB_END_TIME: String(Math.floor(Date.now() / 1000) + 2) };
  await ends(
    t,
    sleep,
    [],
    /time limit of .* \(a little before the scheduler ends the job; --timeout changes it\)/,
    inJob,
  );
  await ends(
    t,
    ['cat', '/dev/zero'],
    ['--stdoutlimit', '100K'],
    /^proc_box: stdout limit of 100 KiB \(--stdoutlimit\) reached$/,
  );
  const spin = ['sh', '-c', 'while :; do :; done'];
  await ends(t, spin, ['--cpu-time', '300ms'], /^proc_box: CPU time limit of 300 ms \(--cpu-time\) reached$/);
  await ends(t, spin, ['--rlimit', 'cpu=1:3'], /^proc_box: CPU time limit per process of 1 s \(--rlimit\) reached$/);
});

t.test('the memory that a box may have is told in units for people', async (t) => {
  const eat = ['python3', '-c', 'b = bytearray(200 << 20); import time; time.sleep(60)'];
  await ends(
    t,
    eat,
    ['--memory', '60M', '--cgroup', 'off'],
    /^proc_box: memory limit of 60 MiB \(--memory\) passed: [\d.]+ MiB in use$/,
  );
});

t.test('a signal that proc_box did not send is told by its name', async (t) => {
  await ends(t, ['sh', '-c', 'kill -TERM $$'], [], /^proc_box: the job died of SIGTERM: proc_box did not send it$/);
  await ends(t, ['sh', '-c', 'kill -SEGV $$'], [], /^proc_box: the job died of SIGSEGV.*: a segmentation fault$/);
  await ends(t, ['sh', '-c', 'kill -KILL $$'], [], /^proc_box: the job died of SIGKILL: .*somebody on this host/);
  await ends(t, ['head', '-c', '100000', '/dev/zero'], ['--rlimit', 'fsize=unlimited', '--rlimit', 'core=0'], null);
  const full = ['sh', '-c', 'exec head -c 100000 /dev/zero > "$1"', 'sh', join(t.testdir(), 'f')];
  await ends(t, full, ['--rlimit', 'fsize=4K'], /died of SIGXFSZ.*: the file size limit of 4 KiB \(--rlimit\)$/);
});

t.test('the end of a job by itself needs no line', async (t) => {
  for (const [command, code] of [
    ['exit 0', 0],
    ['exit 7', 7],
    ['sleep 0.1; exit 143', 143],
  ] as const)
    t.equal((await ends(t, ['sh', '-c', command], [], null)).code, code);
});

t.test('a signal to proc_box is told with its sender', async (t) => {
  for (const [signal, env, line] of [
    ['SIGTERM', {}, /^proc_box: the job was stopped because proc_box got SIGTERM from \S+ \(pid \d+, uid \d+\)$/],
    [
      'SIGTERM',
      { PBS_JOBID: '7' },
      /^proc_box: the scheduler ended the job: proc_box got SIGTERM from \S+ \(pid \d+, /,
    ],
  ] as const) {
    const running = start(t, ['sh', '-c', 'echo ready; exec sleep 60'], { env });
    await running.says('ready');
    running.kill(signal);
    const lines = told(t, (await running.done).stderr);
    t.equal(lines.length, 1, lines.join('\n'));
    t.match(lines[0], line);
  }
});

t.test('a command is told with its user and message id', async (t) => {
  const sleep = ['sleep', '60'];
  const user = 'guest';
  const cases = [
    ['stop', [], /^proc_box: the job was stopped by user guest, message m-1$/],
    ['kill', [], /^proc_box: the job was killed with SIGKILL by user guest, message m-1$/],
    ['kill', ['TERM'], /^proc_box: the job was killed with SIGTERM by user guest, message m-1$/],
    ['set_limit', ['timeout', '1ms'], /^proc_box: time limit of 1 ms \(set by user guest, message m-1\) reached$/],
  ] as const;
  for (const [command, args, line] of cases) {
    const job = await operator.start(t, sleep);
    await job.bound();
    await job.ask(command, args, { messageId: 'm-1', userId: user });
    const { why } = await job.event('exited');
    await job.ended;
    const lines = told(t, job.stderr());
    t.equal(lines.length, 1, lines.join('\n'));
    t.match(lines[0], line);
    t.equal(lines[0], `proc_box: ${why}`, 'the event has the same');
  }
});

t.test('a suspension, and a signal that the job has survived, are told where it then ends by itself', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'trap "exit 3" USR1; echo ready; while :; do sleep 0.05; done']);
  await job.bound();
  await job.ask('suspend', [], { messageId: 'm-2', userId: 'guest' });
  await job.ask('resume');
  await job.ask('kill', ['USR1'], { messageId: 'm-3', userId: 'guest' });
  await job.ended;
  t.match(told(t, job.stderr()), [
    /^proc_box: the job exited with status 3, after it got SIGUSR1 by user guest, message m-3$/,
  ]);
  const slow = await operator.start(t, ['sleep', '3']);
  await slow.bound();
  await slow.ask('suspend', [], { messageId: 'm-4', userId: 'guest' });
  await slow.ask('resume');
  await slow.ended;
  t.match(told(t, slow.stderr()), [
    /^proc_box: the job exited with status 0; it was suspended for \d+ ms by user guest, message m-4$/,
  ]);
});

t.test('--nowarn logs errors only, and the end is told all the same', async (t) => {
  const { stderr } = await run(t, ['sleep', '60'], { options: ['-nowarn', '-timeout', '100ms'] });
  t.match(stderr, /^proc_box: time limit of 100 ms \(-timeout\) reached\nTask elapsed time: \d\.\d\d seconds\.\n$/);
});

t.test('--quiet writes nothing but why the box has ended the job', async (t) => {
  const cases = [
    [['true'], [], ''],
    [['sh', '-c', 'kill -SEGV $$'], ['--rlimit', 'core=0'], ''],
    [['sleep', '60'], ['--timeout', '100ms'], 'proc_box: time limit of 100 ms (--timeout) reached\n'],
  ] as const;
  for (const [command, options, stderr] of cases)
    t.equal((await run(t, command, { options: ['--quiet', ...options] })).stderr, stderr);
  const failed = await run(t, ['/nonexistent'], { options: ['--quiet'] });
  t.match(failed.stderr, /^proc_box: error: run \/nonexistent: not found/);
  const debug = await run(t, ['true'], { options: ['--quiet', '--debug'] });
  t.match(debug.stderr, /started in box/);
});

t.test('--report-file writes the exited event, named after the job', async (t) => {
  const folder = t.testdir();
  const env = { SLURM_JOB_ID: '7', SLURM_STEP_ID: '0', SLURM_PROCID: '3', HOME: folder };
  const file = join(folder, `r-7-0-3-${hostname()}.json`);
  await run(t, ['sh', '-c', 'exit 5'], { options: ['--report-file', '~/r-{job}-{step}-{task}-{host}.json'], env });
  const text = readFileSync(file, 'utf8');
  t.strictSame(schemaErrors('report', text), []);
  t.match(JSON.parse(text), { event: 'exited', exit_status: 5, reason: 'exited', why: null });
  t.equal(statSync(file).mode & 0o777, 0o666 & ~process.umask());
  await run(t, ['sleep', '60'], { options: ['--report-file', 'relative.json', '--timeout', '100ms'], cwd: folder });
  t.match(JSON.parse(readFileSync(join(folder, 'relative.json'), 'utf8')), {
    exit_status: 124,
    why: 'time limit of 100 ms (--timeout) reached',
  });
  t.strictSame(
    readdirSync(folder).sort(),
    [`r-7-0-3-${hostname()}.json`, 'relative.json'].sort(),
    'nothing else is left',
  );
});

t.test("a job's name does not lead the report out of its folder", async (t) => {
  const folder = t.testdir({ inner: {} });
  for (const [job, name] of [
    ['../../evil', '___.._evil'],
    ['..', '__'],
    ['.', '_'],
    ['a/b\nc', 'a_b_c'],
  ] as const) {
    await run(t, ['true'], {
      options: ['--report-file', `${folder}/inner/{job}`],
      env: { SLURM_JOB_ID: job, PBS_JOBID: undefined },
    });
    t.ok(existsSync(join(folder, 'inner', name)), `${JSON.stringify(job)}: ${readdirSync(join(folder, 'inner'))}`);
  }
  t.strictSame(readdirSync(folder), ['inner']);
});

t.test('a report that cannot be written is a warning', async (t) => {
  const folder = t.testdir({ here: 'x', sub: {} });
  symlinkSync('here', join(folder, 'link'));
  const attempt = async (path: string) => await run(t, ['sh', '-c', 'exit 9'], { options: ['--report-file', path] });
  const missing = await attempt(`${folder}/no/such.json`);
  t.equal(missing.code, 9);
  t.match(missing.stderr, /warn: --report-file: the report is not in ".*such\.json": folder ".*" does not exist/);
  for (const path of ['/dev/null', `${folder}/sub`]) t.match((await attempt(path)).stderr, /is not a regular file/);
  t.ok(statSync('/dev/null').isCharacterDevice());
  await attempt(`${folder}/link`);
  t.equal(JSON.parse(readFileSync(join(folder, 'here'), 'utf8')).exit_status, 9, 'a link leads to its file');
  for (const [path, line] of [
    ['{jobb}.json', /--report-file: "\{jobb\}" is unknown in .*did you mean "job"\?/],
    ['x/', /is a folder/],
  ] as const)
    t.match((await attempt(path)).stderr, line);
});
