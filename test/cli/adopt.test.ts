import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { adopt, adopted, bare, isAlive } from '../fixtures/adopted.js';
import { user } from '../fixtures/cgroups.js';
import { processState, until } from '../fixtures/processes.js';
import { run, start, temporaryFolder } from '../fixtures/run.js';

/** `proc_box adopt` as its users type it. */

t.test('the exit status is that of the process', async (t) => {
  for (const [script, status, ended] of [
    ['read line < fifo; exit 7', 7, /ended +exited: code 7/],
    ['read line < fifo; kill -9 $$', 137, /ended +signaled: SIGKILL/],
  ] as const) {
    const folder = temporaryFolder(t);
    const process = bare(t, `cd ${folder}; mkfifo fifo; echo up; ${script}`);
    await process.says('up');
    const running = await adopted(t, process.pid, ['--report']);
    const go = bare(t, `echo > ${folder}/fifo`);
    await go.ended;
    const { code, stdout, stderr } = await running.done;
    t.equal(code, status, script);
    t.equal(stdout, '');
    t.match(stderr, ended);
  }
});

t.test('bad input: 125, a clear line, and the process runs as before', async (t) => {
  const process = bare(t, 'echo up; sleep 600');
  await process.says('up');
  for (const [options, message] of [
    [['--rlimit', 'nofile=9:5'], /nofile/],
    [['--memory', 'much'], /--memory: /],
    [['--cgroup', '/nowhere'], /--cgroup \/nowhere: not a cgroup directory/],
    [['--pids', '10', '--cgroup', 'off', '--enforce', 'strict'], /pids is held by sampling only/],
  ] as const) {
    const { code, stderr } = await adopt(t, process.pid, options).done;
    t.equal(code, 125);
    t.match(stderr, message);
  }
  const { code, stderr } = await adopt(t, 1).done;
  t.equal(code, 125);
  t.match(stderr, /--pid 1: .* is not a job/);
  t.ok(isAlive(process.pid));
  t.match(readFileSync(`/proc/${process.pid}/limits`, 'utf8'), /Max open files +\d{3,}/);
});

t.test('a process that has ended is refused', async (t) => {
  const process = bare(t, 'exit 0');
  await process.ended;
  const { code, stderr } = await adopt(t, process.pid).done;
  t.equal(code, 125);
  t.match(stderr, /there is no such process/);
});

t.test('a user adopts own processes only', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const foreign = bare(t, 'echo up; sleep 600');
  await foreign.says('up');
  const refused = await adopt(t, foreign.pid, [], user()).done;
  t.equal(refused.code, 125);
  t.match(refused.stderr, /belongs to \w+; only root may box processes of other users/);
  const own = bare(t, 'echo up; sleep 600', { through: user() });
  await own.says('up');
  const running = await adopted(t, own.pid, ['--rlimit', 'nofile=64:64'], user());
  t.match(running.stderr(), /started in box/);
  t.match(readFileSync(`/proc/${own.pid}/limits`, 'utf8'), /Max open files +64 +64/);
});

t.test('TERM ends the supervision and not the process', async (t) => {
  const process = bare(t, 'echo up; sleep 600');
  await process.says('up');
  const running = await adopted(t, process.pid, ['--rlimit', 'nofile=64:64']);
  running.kill('SIGTERM');
  const { code, stderr } = await running.done;
  t.equal(code, 0);
  t.match(stderr, /the supervision has ended; the process continues within its limits/);
  t.ok(isAlive(process.pid));
  t.match(readFileSync(`/proc/${process.pid}/limits`, 'utf8'), /Max open files +64 +64/);
});

t.test('--detach returns once the box is made and leaves a supervisor that holds no output', async (t) => {
  const folder = temporaryFolder(t);
  const [log, pidFile] = [join(folder, 'log'), join(folder, 'pid')];
  const process = bare(t, 'echo up; sleep 600');
  await process.says('up');
  const words = ['adopt', '--detach', '--pid', String(process.pid), '-uri', 'none', '--config', 'none'];
  const options = ['--log-file', log, '--pid-file', pidFile, '--timeout', '300ms', '--stop-signal', 'KILL'];
  // `run` ends when stdout and stderr are closed.
  const { code, stdout, stderr } = await run(t, [...words, ...options, '--rlimit', 'nofile=64:64'], { bare: true });
  t.equal(code, 0, stderr);
  t.equal(stdout + stderr, '');
  t.match(readFileSync(`/proc/${process.pid}/limits`, 'utf8'), /Max open files +64 +64/, 'before it returns');
  const { code: processCode, signal } = await process.ended;
  t.strictSame([processCode, signal], [null, 'SIGKILL'], 'the time limit ends it');
  await until(() => !existsSync(pidFile), 'the supervisor has ended');
  await until(() => /time limit of 300 ms \(--timeout\) reached/.test(readFileSync(log, 'utf8')), 'the log says why');
});

t.test('--detach tells of what is wrong', async (t) => {
  const { code, stderr } = await run(t, ['adopt', '--detach', '--pid', '4194304'], { bare: true });
  t.equal(code, 125);
  t.match(stderr, /there is no such process/);
});

t.test('a shell that adopts itself keeps proc_box out of its box', async (t) => {
  const folder = temporaryFolder(t);
  const log = join(folder, 'log');
  const { PROC_BOX } = await import('../fixtures/run.js');
  const adoptItself = `${PROC_BOX} adopt --detach --pid $$ -uri none --config none --report --log-file ${log} --pids 30`;
  const process = bare(t, `${adoptItself} && echo boxed; sleep 0.3; exit 4`);
  await process.says('boxed');
  t.equal((await process.ended).code, 4);
  await until(() => existsSync(log) && readFileSync(log, 'utf8').includes('Task elapsed'), 'the supervisor has ended');
  t.match(readFileSync(log, 'utf8'), /ended +exited: code 4/);
});

t.test('the supervisor stays out of the way: its own session, no terminal, no descriptors', async (t) => {
  const folder = temporaryFolder(t);
  const pidFile = join(folder, 'pid');
  const process = bare(t, 'echo up; sleep 600');
  await process.says('up');
  await run(t, ['adopt', '--detach', '--pid', `${process.pid}`, '-uri', 'none', '--pid-file', pidFile], { bare: true });
  const supervisor = Number(readFileSync(pidFile, 'utf8'));
  t.equal(processState(supervisor)?.session, supervisor);
  process.child.kill('SIGKILL');
  await until(() => !isAlive(supervisor), 'it ends with the process');
});

t.test('a process that ends as it is adopted holds up nobody', async (t) => {
  const folder = temporaryFolder(t);
  for (let round = 0; round < 20; round++) {
    const pidFile = join(folder, `${round}`);
    const process = bare(t, 'echo up; sleep 600; echo');
    await process.says('up');
    const words = ['adopt', '--detach', '--pid', `${process.pid}`, '-uri', 'none', '--pid-file', pidFile];
    t.equal((await run(t, words, { bare: true })).code, 0);
    const supervisor = Number(readFileSync(pidFile, 'utf8'));
    process.child.kill('SIGKILL');
    await until(() => !isAlive(supervisor), 'its supervisor ends');
  }
});

t.test('"proc_box -- adopt" is a program of that name', async (t) => {
  const { code, stderr } = await start(t, ['--', 'adopt-nothing'], {}).done;
  t.equal(code, 127);
  t.match(stderr, /adopt-nothing: not found/);
});

t.test('--help', async (t) => {
  const { code, stdout } = await run(t, ['adopt', '--help'], { bare: true });
  t.equal(code, 0);
  t.match(stdout, /usage: proc_box adopt --pid/);
});
