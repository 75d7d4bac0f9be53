import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ancestorsBelow, commandOf, readMainProcess, stdoutModeOf } from '../../src/adopt/main-process.js';
import { until } from '../fixtures/processes.js';

async function job(t: Test, command: readonly string[], options: object = {}): Promise<number> {
  const child = spawn(command[0]!, command.slice(1), { stdio: 'ignore', ...options });
  await once(child, 'spawn');
  t.teardown(() => child.kill('SIGKILL'));
  return child.pid!;
}

const NOBODY = 65534;
const isRoot = process.geteuid?.() === 0;

t.test('a process that runs is told from every later one, with its user and environment', async (t) => {
  const pid = await job(t, ['sleep', '1000'], { env: { ...process.env, A: 'b=c', EMPTY: '' } });
  await until(() => commandOf(pid)[0] === 'sleep', 'it has executed');
  const target = readMainProcess(pid, [], { A: 'ours' });
  t.match(target, { pid, uid: process.getuid!(), gid: process.getgid!(), awaitExec: false });
  t.ok(target.startTicks > 0);
  t.match(target.environment, { A: 'b=c', EMPTY: '' }, 'its own');
  t.strictSame(commandOf(pid), ['sleep', '1000']);
});

t.test('what cannot be boxed is refused', async (t) => {
  const refusal = (pid: number, ours: readonly number[], message: string | RegExp) =>
    t.throws(() => readMainProcess(pid, ours, {}), { name: 'SpecError', message }, `${pid}`);
  refusal(2 ** 22 + 1, [], `--pid ${2 ** 22 + 1}: there is no such process`);
  refusal(1, [], /^--pid 1: .* is not a job: expected the main process of one$/);
  refusal(process.pid, [process.pid], /is not a job/);
  const dead = spawn('true', { stdio: 'ignore' });
  const { pid = 0 } = dead;
  await once(dead, 'exit');
  refusal(pid, [], `--pid ${pid}: there is no such process`);
});

t.test("only root may box another user's process", async (t) => {
  const pid = isRoot ? await job(t, ['sleep', '1000']) : 1;
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    t.throws(() => readMainProcess(pid, [], {}), {
      message: /is not a job|only root may box processes of other users/,
    });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

t.test('who is between a process and its ancestor', async (t) => {
  const pid = await job(t, ['sleep', '1000']);
  t.strictSame(ancestorsBelow(process.pid, pid), [], 'its parent');
  t.ok(ancestorsBelow(process.ppid, pid).includes(process.pid));
  t.equal(ancestorsBelow(process.ppid, pid)[0], process.pid, 'the nearest first');
  t.strictSame(ancestorsBelow(pid, process.pid), [], 'one that is none of its ancestors');
  t.strictSame(ancestorsBelow(process.pid, 2 ** 22 + 1), []);
});

t.test('a program that hides its words has its name', async (t) => {
  t.strictSame(commandOf(2 ** 22 + 1), ['']);
});

t.test('only what goes to a file can be watched from outside', async (t) => {
  const dir = t.testdir({});
  const toFile = await job(t, ['sleep', '1000'], { stdio: ['ignore', openSync(`${dir}/out`, 'w'), 'ignore'] });
  t.equal(stdoutModeOf(toFile), 'file');
  t.equal(stdoutModeOf(await job(t, ['sleep', '1000'])), 'other', '/dev/null');
  t.equal(stdoutModeOf(2 ** 22 + 1), 'other', 'it has ended');
});
