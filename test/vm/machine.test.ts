// test-beside
// test-timeout: 300s
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { prepareVm } from '../../scripts/dev/vm/machine.mjs';
import { childrenOf, commandLineOf, isAlive, until } from '../fixtures/processes.js';
import { reEmit } from '../fixtures/vm.js';

/** The virtual machine itself, by the command that a developer would type. */

const RUN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'dev', 'vm', 'run.mjs');
const skip = whyNone();

t.test('status, stdout and stderr of the command arrive as they are', { skip }, async (t) => {
  const program =
    'seq 100000; echo "it\'s" "$WORD" >&2; cat /proc/self/cgroup /sys/fs/cgroup/cgroup.controllers >&2; exit 7';
  const { code, stdout, stderr } = await run(['--env=WORD=a = b', '--', 'sh', '-c', program]).done;
  t.equal(code, 7);
  t.equal(stdout.length, 588_895);
  t.match(stderr, /^it's a = b\n0::\/vm\/command\ncpuset cpu io memory hugetlb pids/);
});

t.test('writes of the command are lost', { skip }, async (t) => {
  const mark = join(tmpdir(), `proc_box-vm-written-${process.pid}`);
  const { code, stdout } = await run(['--', 'sh', '-c', `echo word >${mark} && cat ${mark}`]).done;
  t.strictSame([code, stdout], [0, 'word\n']);
  t.notOk(
    readdirSync(tmpdir()).some((name) => name.startsWith('proc_box-vm-')),
    'nothing is left behind',
  );
});

t.test('--user has an ordinary user without privileges in a subtree of its own', { skip }, async (t) => {
  const program =
    'id -u; grep CapBnd /proc/self/status; cd /sys/fs/cgroup/vm/user-*; mkdir a && cat a/cgroup.controllers';
  const { code, stdout } = await run(['--user', '--', 'bash', '-c', program]).done;
  t.strictSame([code, stdout], [0, '7000\nCapBnd:\t0000000000000000\ncpuset cpu io memory hugetlb pids rdma misc\n']);
});

t.test('SIGKILL leaves neither a machine nor files', { skip }, async (t) => {
  const running = run(['--', 'sh', '-c', 'echo up; sleep 1000']);
  t.teardown(() => running.child.kill('SIGKILL'));
  await until(() => running.stdout().includes('up'), 'the command runs', 60_000);
  const machines = machinesOf(running.pid);
  t.ok(machines.length > 0, 'qemu runs');
  running.child.kill('SIGKILL');
  await until(() => !machines.some(isAlive), 'qemu is gone');
  t.notOk(
    readdirSync(tmpdir()).some((name) => name.startsWith('proc_box-vm-')),
    'no file is left',
  );
});

t.test('a command that is not done in time ends with 124', { skip }, async (t) => {
  const { code, stderr } = await run(['--timeout=1', '--', 'sleep', '1000']).done;
  t.equal(code, 124);
  t.match(stderr, /^vm: the virtual machine was still running after 1000 ms/);
});

t.test('without qemu and without a way to install it the status is 77, with the reason', async (t) => {
  const { code, stderr } = await run(['--', 'true'], { PATH: '/nowhere' }).done;
  t.equal(code, 77);
  t.equal(stderr, 'vm: install qemu-system-x86: there is no apt-get on this system\n');
});

t.test('options that are wrong end with 125', async (t) => {
  t.match(await run(['--timeout=soon', '--', 'true']).done, {
    code: 125,
    stderr: /^vm: --timeout=soon: expected seconds/,
  });
  t.match(await run([]).done, { code: 125, stderr: /^vm: no command given/ });
});

t.test('each inner test is an assertion, groups are not', async (t) => {
  const seen: unknown[] = [];
  const outer = {
    pass: (name: string, extra?: { skip?: string }) =>
      seen.push(extra?.skip ? `skip ${name}: ${extra.skip}` : `pass ${name}`),
    fail: (name: string, extra: { inner: unknown }) => seen.push(`fail ${name}: ${extra.inner}`),
  };
  const output = `TAP version 13
# Subtest: alone
ok 1 - alone
# Subtest: group
    # Subtest: first
    ok 1 - first
    # Subtest: second
    not ok 2 - second
      ---
      error: 'wrong'
      ...
    # Subtest: third
    ok 3 - third # SKIP no broker
    1..3
not ok 2 - group
  ---
  error: '1 subtest failed'
  ...
1..2
`;
  t.strictSame(reEmit(outer as unknown as typeof t, output), { seen: 4, failed: 1 });
  t.strictSame(seen, [
    'pass alone',
    'pass group > first',
    'fail group > second: wrong',
    'skip group > third: no broker',
  ]);
});

/** @returns false, or why these tests cannot run; fills the cache on the way */
function whyNone(): string | false {
  try {
    prepareVm();
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

function run(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [RUN, ...words], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    text.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text.stderr += chunk;
  });
  const done = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...text }));
  });
  return { child, pid: child.pid!, done, stdout: () => text.stdout };
}

/** qemu and what watches over it, below a run. */
function machinesOf(pid: number): number[] {
  const children = childrenOf(pid);
  return children
    .flatMap((child) => [child, ...machinesOf(child)])
    .filter((child) => commandLineOf(child)?.some((word) => word.includes('qemu-system')));
}
