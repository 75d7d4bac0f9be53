// test-timeout: 120s
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { bare, isAlive } from '../fixtures/adopted.js';
import { childrenOf, environmentOf, processState, until } from '../fixtures/processes.js';
import { PROC_BOX, plainEnvironment, run, temporaryFolder } from '../fixtures/run.js';
import { keepersOf, nodeOf, supervisor, talk } from '../fixtures/supervisor.js';

/** `proc_box adopt --serve` and `--via`: many boxes in one process. */

const limitsOf = (pid: number) => readFileSync(`/proc/${pid}/limits`, 'utf8');
const FILES = ['--rlimit', 'nofile=64:64'];

async function sleeper(t: Test, env: Readonly<Record<string, string>> = {}) {
  const process = bare(t, 'echo up; exec sleep 600', { env });
  await process.says('up');
  return process;
}

t.test('boxes of several processes: limits before the answer, a keeper and a log each', async (t) => {
  const serving = supervisor(t);
  const logs: string[] = [];
  const targets = [await sleeper(t), await sleeper(t), await sleeper(t)];
  for (const [index, target] of targets.entries()) {
    logs.push(join(serving.folder, `${index}.log`));
    const limit = ['--rlimit', `nofile=${60 + index}:${60 + index}`, '--report', '--log-file', logs[index]!];
    const { code, stdout, stderr } = await serving.ask(target.pid, limit);
    t.strictSame([code, stdout, stderr], [0, '', '']);
    t.match(limitsOf(target.pid), new RegExp(`Max open files +${60 + index} +${60 + index}`));
  }
  t.equal(serving.keepers().length, 3);
  t.strictSame(childrenOf(serving.pid), [serving.nodePid()], 'a keeper without a box does not stay');
  targets[1]!.child.kill('SIGKILL');
  await until(() => readFileSync(logs[1]!, 'utf8').includes('Task elapsed time'), 'its end is told');
  t.match(readFileSync(logs[1]!, 'utf8'), /ended +signaled: SIGKILL/);
  await until(() => keepersOf(serving.pid).length === 2, 'its keeper has ended, and is no zombie');
  t.notMatch(readFileSync(logs[0]!, 'utf8'), 'Task elapsed', 'the others go on');
  t.ok(targets[0] && isAlive(targets[0].pid));
});

t.test('who asks says whose job it is, with options for the box; its process does not show them', async (t) => {
  const serving = supervisor(t);
  const target = await sleeper(t, { SLURM_JOB_ID: '4711', SLURM_STEP_ID: '3' });
  const log = join(serving.folder, 'log');
  const { code } = await serving.ask(target.pid, ['--log-file', log], {
    env: { PBOX_RLIMIT: 'nofile=77:77', PBOX_JSON: '{"secret": 1}' },
  });
  t.equal(code, 0);
  t.match(limitsOf(target.pid), /Max open files +77 +77/);
  await until(() => readFileSync(log, 'utf8').includes('started in box'), 'it is told');
  t.match(readFileSync(log, 'utf8'), /job 4711 step 3 started/);
  for (const pid of [serving.pid, serving.nodePid(), ...serving.keepers()]) {
    t.notMatch(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), 'nofile');
    t.notMatch(environmentOf(pid)?.join(' ') ?? '', /PBOX_|SLURM_/);
  }
});

t.test('bad input: 125 and a clear line, as without a supervisor; the next one is boxed', async (t) => {
  const serving = supervisor(t);
  const target = await sleeper(t);
  const fifo = join(serving.folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  for (const [options, message] of [
    [['--rlimit', 'nofile=9:5'], /^proc_box: error: .*nofile/],
    [['--memry', '1G'], /unknown option "--memry"; did you mean --memory/],
    [['--pids', '10', '--cgroup', 'off', '--enforce', 'strict'], /pids is held by sampling only/],
    [['--log-file', fifo], /--log-file \S+fifo: ENXIO/],
    [['--config', fifo], /fifo is not a regular file/],
    [['--log-file', '/nowhere/log'], /--log-file \/nowhere\/log: ENOENT/],
  ] as const) {
    const { code, stderr } = await serving.ask(target.pid, options);
    t.equal(code, 125);
    t.match(stderr, message);
  }
  t.match(await serving.ask(4194304), { code: 125, stderr: /there is no such process/ });
  t.match(await serving.ask(serving.pid), { code: 125, stderr: /is not a job/ });
  const attached = await run(t, ['adopt', '--via', serving.socket, '--pid', String(target.pid)], { bare: true });
  t.match(attached, { code: 125, stderr: /--via needs --detach/ });
  const warned = await serving.ask(target.pid, ['--stdoutlimit', '1M', ...FILES]);
  t.match(warned, { code: 0, stderr: /proc_box: warn: --stdoutlimit has no effect/ });
  await until(() => serving.keepers().length === 1, 'refused ones leave no keeper');
});

t.test('clients that are broken, slow or silent: refused, and nobody else notices', async (t) => {
  const serving = supervisor(t);
  const silent = talk(t, serving.socket);
  const half = talk(t, serving.socket);
  half.client.write(Buffer.alloc(10));
  const garbage = talk(t, serving.socket);
  garbage.client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const gone = talk(t, serving.socket);
  gone.client.write(Buffer.alloc(5), () => gone.client.destroy());
  for (let more = 0; more < 100; more++) talk(t, serving.socket);
  const target = await sleeper(t);
  const { code, elapsedMs } = await serving.ask(target.pid, FILES);
  t.equal(code, 0);
  t.ok(elapsedMs < 4000, 'before any of them is given up');
  const refused = await garbage.answer;
  t.equal(refused[0], 125);
  t.match(refused.toString('latin1', 1), /^proc_box: error: a request of \d+ bytes: at most 262144\n$/);
  for (const { answer } of [silent, half]) {
    t.match((await answer).toString('latin1', 1), 'proc_box: error: no whole request within 5 s\n');
  }
  t.equal((await serving.ask(target.pid, FILES)).code, 0);
});

t.test('without a supervisor: a process of its own, as without --via', async (t) => {
  const serving = supervisor(t);
  process.kill(serving.pid, 'SIGKILL');
  await until(() => !isAlive(serving.pid), 'it is dead');
  for (const socket of [serving.socket, '/nowhere/socket', `/${'x'.repeat(200)}`]) {
    const target = await sleeper(t);
    const pidFile = join(temporaryFolder(t), 'pid');
    const words = ['adopt', `--via=${socket}`, '--detach', '--pid', String(target.pid), '-uri', 'none'];
    const { code, stderr } = await run(t, [...words, '--pid-file', pidFile, ...FILES], { bare: true });
    t.strictSame([code, stderr], [0, '']);
    t.match(limitsOf(target.pid), /Max open files +64 +64/);
    const own = Number(readFileSync(pidFile, 'utf8'));
    t.ok(isAlive(own));
    const waits = spawn('flock', [pidFile, 'true']);
    const ended = new Promise((resolve) => waits.on('exit', resolve));
    target.child.kill('SIGKILL');
    await ended;
    await until(() => !isAlive(own), 'its end is an event for flock(1)'); // the kernel closes files a moment before
  }
});

t.test('one that does not answer is given up, and makes no second box later', async (t) => {
  const serving = supervisor(t);
  const target = await sleeper(t);
  const first = join(serving.folder, 'first.log');
  t.equal((await serving.ask(target.pid, ['--log-file', first])).code, 0);
  // The front end first: it lets a Node go on that somebody else has stopped.
  const both = [serving.pid, serving.nodePid()];
  for (const pid of both) process.kill(pid, 'SIGSTOP');
  const second = await sleeper(t);
  const log = join(serving.folder, 'second.log');
  t.equal((await serving.ask(second.pid, [...FILES, '--log-file', log])).code, 0, 'it is boxed all the same');
  for (const pid of both) process.kill(pid, 'SIGCONT');
  const third = join(serving.folder, 'third.log');
  t.equal((await serving.ask((await sleeper(t)).pid, ['--log-file', third])).code, 0);
  await until(() => existsSync(third) && readFileSync(third, 'utf8').includes('started in box'), 'it goes on');
  t.equal(readFileSync(log, 'utf8').match(/started in box/g)?.length, 1);
  t.equal(serving.keepers().length, 2);
});

t.test('TERM: it ends when its boxes have, and takes no more', async (t) => {
  const serving = supervisor(t);
  const target = await sleeper(t);
  t.equal((await serving.ask(target.pid, FILES)).code, 0);
  process.kill(serving.pid, 'SIGTERM');
  const late = talk(t, serving.socket);
  t.equal((await late.answer).length, 0);
  t.ok(isAlive(serving.pid));
  target.child.kill('SIGKILL');
  await until(() => !isAlive(serving.pid), 'it has ended');
  t.equal(readFileSync(serving.log, 'utf8'), '');
});

t.test('it ends when its folder has gone', async (t) => {
  const serving = supervisor(t);
  rmSync(serving.folder, { recursive: true });
  await until(() => !isAlive(serving.pid), 'it has ended');
});

t.test('it cannot be made to do what others want: not dumpable, no inspector, its own session', async (t) => {
  const serving = supervisor(t);
  const signalled = supervisor(t);
  process.kill(signalled.pid, 'SIGUSR1'); // while Node starts
  const target = await sleeper(t);
  t.equal((await serving.ask(target.pid)).code, 0);
  t.equal((await signalled.ask((await sleeper(t)).pid)).code, 0);
  for (const pid of [serving.pid, serving.nodePid()]) {
    process.kill(pid, 'SIGUSR1');
    process.kill(pid, 'SIGINT');
  }
  t.equal((await serving.ask((await sleeper(t)).pid)).code, 0);
  for (const { pid } of [serving, signalled]) {
    t.equal(processState(pid)?.session, pid);
    t.equal(processState(nodeOf(pid))?.session, pid);
    t.notMatch(readFileSync('/proc/net/tcp', 'latin1'), /:240D 00000000:0000 0A/, 'nobody listens on port 9229');
  }
});

t.test('--serve: what cannot be had is said', async (t) => {
  const serving = supervisor(t);
  const again = await run(t, ['adopt', '--serve', serving.socket], { bare: true });
  t.match(again, { code: 125, stderr: /listen on \S+: Address already in use; its folder must exist/ });
  const nowhere = await run(t, ['adopt', '--serve', '/nowhere/socket'], { bare: true });
  t.match(nowhere, { code: 125, stderr: /listen on \/nowhere\/socket: No such file or directory/ });
  for (const more of [['--pid', '4'], ['--log-file'], ['--detach']]) {
    const other = await run(t, ['adopt', '--serve', join(serving.folder, 'other'), ...more], { bare: true });
    t.match(other, { code: 125, stderr: /usage: proc_box adopt --serve <socket> \[--log-file <path>\]\n$/ });
  }
  t.match(await run(t, ['adopt', '--serve'], { bare: true }), { code: 125, stderr: /usage: proc_box adopt --serve/ });
  t.match(await run(t, ['adopt', '--detach', '--via'], { bare: true }), { code: 125, stderr: /--via needs a value/ });
});

t.test('names of files count from where each was started', async (t) => {
  const serving = supervisor(t);
  const { code, stderr } = await serving.ask(
    (await sleeper(t)).pid,
    ['--log-file', 'here.log', '--config', 'here.yaml'],
    {
      cwd: serving.folder,
    },
  );
  t.match({ code, stderr }, { code: 125, stderr: /read here\.yaml: ENOENT/ });
  const boxed = await serving.ask((await sleeper(t)).pid, ['--log-file', 'here.log'], { cwd: serving.folder });
  t.equal(boxed.code, 0, boxed.stderr);
  t.ok(existsSync(join(serving.folder, 'here.log')));
  for (const pid of [serving.pid, serving.nodePid()])
    t.equal(readlinkSync(`/proc/${pid}/cwd`), '/', 'and it holds no folder');
});

const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' };
const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

t.test('only its own user and root may ask, whoever can reach the socket', asRoot, async (t) => {
  const serving = supervisor(t);
  for (const path of [dirname(serving.folder), serving.folder, serving.socket]) chmodSync(path, 0o777);
  const theirs = bare(t, 'echo up; exec sleep 600', { through: NOBODY });
  await theirs.says('up');
  const ours = await sleeper(t);
  const log = join(serving.folder, 'made-by-root.log');
  for (const target of [theirs, ours]) {
    const asked = await serving.ask(target.pid, [...FILES, '--log-file', log, '--pid-file', log], { through: NOBODY });
    t.equal(asked.code, 125);
    t.match(
      asked.stderr,
      /^proc_box: error: this supervisor makes boxes for root, not for nobody: start one of your own/,
    );
    t.notMatch(limitsOf(target.pid), /Max open files +64 +64/);
  }
  t.notOk(existsSync(log), 'root has opened no file for another user');
  t.strictSame(serving.keepers(), []);
  t.equal((await serving.ask(theirs.pid)).code, 0, 'root may box any process');
});

t.test("a supervisor of another user's is not asked", asRoot, async (t) => {
  const folder = join(temporaryFolder(t), 'theirs');
  mkdirSync(folder, { mode: 0o700 });
  for (const path of [dirname(folder), folder]) chownSync(path, 65534, 65534);
  const socket = join(folder, 'socket');
  const serves = [...NOBODY.slice(1), PROC_BOX, 'adopt', '--serve', socket];
  const started = spawnSync(NOBODY[0]!, serves, { encoding: 'utf8', env: plainEnvironment() });
  t.equal(started.status, 0, started.stderr);
  t.teardown(() => process.kill(Number(started.stdout)));
  const target = await sleeper(t);
  const words = ['adopt', '--via', socket, '--detach', '--pid', String(target.pid), '-uri', 'none', '--config', 'none'];
  const { code, stderr } = await run(t, [...words, ...FILES], { bare: true });
  t.equal(code, 0, 'a box of its own');
  t.match(stderr, /not used, because a process of another user \(uid 65534\) listens there/);
  t.match(limitsOf(target.pid), /Max open files +64 +64/);
  t.strictSame(keepersOf(Number(started.stdout)), []);
  target.child.kill('SIGKILL');
});

t.test('a socket in a folder that others may enter is refused at the start', async (t) => {
  const parent = temporaryFolder(t);
  const folders: readonly (readonly [string, number, number, RegExp])[] = [
    ['open', 0o755, 0, /its folder is open to other users; make it one with mode 0700/],
    ['search', 0o711, 0, /its folder is open to other users/],
    ['group', 0o750, 0, /its folder is open to other users/],
    ['sticky', 0o1777, 0, /its folder is open to other users/],
    ...(process.getuid?.() === 0 ? [['other', 0o700, 65534, /its folder belongs to another user/] as const] : []),
  ];
  for (const [name, mode, owner, message] of folders) {
    const folder = join(parent, name);
    mkdirSync(folder);
    chmodSync(folder, mode);
    if (owner !== 0) chownSync(folder, owner, owner);
    const words = ['adopt', '--serve', join(folder, 'socket')];
    const { status, stderr } = spawnSync(PROC_BOX, words, { encoding: 'utf8', env: plainEnvironment() });
    t.equal(status, 125, name);
    t.match(stderr, message);
    t.notOk(existsSync(join(folder, 'socket')));
  }
});
