import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { processesWith, readProc } from '../../fixtures/processes.js';
import { groupFile, groupOf, groups, job, kill, PATIENCE_MS, until } from './box.js';
import { SETTINGS, type Setting } from './setting.js';

/** `proc_box adopt` on a kernel that has control groups v2 only. */

const PROC_BOX = process.env['PROC_BOX_UNDER_TEST'] ?? '';
const limited = { timeout: 3 * PATIENCE_MS };
const MIB = 2 ** 20;

for (const setting of SETTINGS.filter(({ name, delegated }) => delegated && !name.startsWith('systemd'))) {
  describe(`adopt, ${setting.name}`, () => {
    test('the process and its children are in the box, within its limits', limited, (t) => inside(t, setting));
    test('more memory than --memory ends it: reason oom', limited, (t) => outOfMemory(t, setting));
    test('the end of its supervisor leaves it within its limits', limited, (t) => alone(t, setting));
  });
}

interface Started {
  readonly pid: number;
  readonly ended: Promise<number | null>;
  stdout(): string;
  stderr(): string;
}

function start(t: TestContext, words: readonly string[], mark: string): Started {
  const child: ChildProcess = spawn(words[0]!, words.slice(1), {
    cwd: '/',
    env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', BOX_MARK: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.on('data', (chunk: Buffer) => (text[name] += chunk.toString()));
  t.after(() => {
    for (const pid of processesWith(`BOX_MARK=${mark}`)) kill(pid);
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { pid: child.pid!, ended, stdout: () => text.stdout, stderr: () => text.stderr };
}

const unique = () => `adopt-${randomBytes(6).toString('hex')}`;

/** A process that nobody boxes, and where it is. */
async function bare(t: TestContext, setting: Setting, words: readonly string[]) {
  const mark = unique();
  const process = start(t, [...setting.through(mark), ...words], mark);
  await until(
    () => process.stdout().includes('up'),
    () => `it runs: ${process.stderr()}`,
  );
  return { ...process, mark, group: setting.group(mark, process.pid) };
}

/** As the user whose process it is. */
async function adopt(t: TestContext, setting: Setting, pid: number, options: readonly string[]) {
  const mark = unique();
  const words = ['adopt', '--pid', String(pid), '-uri', 'none', '--config', 'none', '--grace', '200ms', ...options];
  const supervisor = start(t, [...setting.through(mark), PROC_BOX, ...words], mark);
  await until(
    () => supervisor.stderr().includes('started in box'),
    () => `it is adopted: ${supervisor.stderr()}`,
  );
  return supervisor;
}

const boxGroups = (around: string) => groups().filter((path) => path.startsWith(`${around}/proc_box-`));

async function gone(around: string): Promise<void> {
  await until(
    () => boxGroups(around).length === 0,
    () => `no group is left: ${boxGroups(around)}`,
  );
}

async function inside(t: TestContext, setting: Setting) {
  const process = await bare(t, setting, ['sh', '-c', 'sleep 600 & (setsid sleep 600 & wait) & echo up; wait']);
  await until(
    () => processesWith(`BOX_MARK=${process.mark}`).length >= 4,
    () => 'its children run',
  );
  const options = ['--memory=64M', '--pids=20', '--cpus=0.5', '--rlimit=nofile=77:99', '--report', '--enforce=strict'];
  const supervisor = await adopt(t, setting, process.pid, options);
  assert.match(supervisor.stderr(), /memory=64 MiB \(cgroup2\), cpus=0.5 \(cgroup2\), pids=20 \(cgroup2\)/);
  const [group = ''] = boxGroups(process.group);
  for (const pid of processesWith(`BOX_MARK=${process.mark}`)) {
    assert.equal(groupOf(pid), group);
    assert.match(readProc(`/proc/${pid}/limits`) ?? '', /Max open files +77 +99/);
  }
  assert.equal(groupFile(group, 'memory.max'), String(64 * MIB));
  assert.equal(groupFile(group, 'pids.max'), '20');
  assert.equal(groupFile(group, 'cpu.max'), '50000 100000');
  assert.ok(!groupOf(supervisor.pid).startsWith(group), 'the supervisor is outside');
  kill(process.pid);
  await supervisor.ended;
  assert.match(supervisor.stderr(), /^ {2}processes +[4-9] at most/m, supervisor.stderr());
  assert.match(supervisor.stderr(), /^ {2}pids +20 +[4-9] .* cgroup2$/m);
  assert.deepEqual(processesWith(`BOX_MARK=${process.mark}`), [], 'the end of the main process is the end of the box');
  await gone(process.group);
}

async function outOfMemory(t: TestContext, setting: Setting) {
  const python = job('allocate.py', '200').map((word) => `'${word}'`);
  const script = `echo up; until [ "$(ulimit -n)" = 77 ]; do sleep 0.1; done; exec ${python.join(' ')}`;
  const process = await bare(t, setting, ['sh', '-c', script]);
  const supervisor = await adopt(t, setting, process.pid, ['--memory=64M', '--rlimit=nofile=77:77', '--report']);
  await supervisor.ended;
  assert.match(supervisor.stderr(), /^ {2}ended +oom/m, supervisor.stderr());
  await gone(process.group);
}

async function alone(t: TestContext, setting: Setting) {
  const process = await bare(t, setting, ['sh', '-c', 'echo up; exec sleep 600']);
  const supervisor = await adopt(t, setting, process.pid, ['--pids=20']);
  kill(supervisor.pid);
  await supervisor.ended;
  const [group = ''] = boxGroups(process.group);
  assert.equal(groupOf(process.pid), group);
  assert.equal(groupFile(group, 'pids.max'), '20');
  kill(process.pid);
  await process.ended;
  await gone(process.group);
}
