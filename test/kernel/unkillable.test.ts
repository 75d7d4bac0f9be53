// test-waits
// test-timeout: 120s
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { user, withoutV1 } from '../fixtures/cgroups.js';
import { isAlive, until } from '../fixtures/processes.js';
import { findProgram } from '../fixtures/programs.js';
import { killQuietly, PYTHON, start, temporaryFolder } from '../fixtures/run.js';

/** Processes that SIGKILL does not end, or not by itself: proc_box does not wait for ever, and says for whom. */

const FREEZER = '/sys/fs/cgroup/freezer';
const notRoot = process.getuid?.() !== 0 && 'needs root';

t.test(
  'a child that the job froze in a group of the v1 freezer is thawed, and ends',
  { skip: notRoot || withoutV1('freezer') },
  async (t) => {
    const group = `${FREEZER}/proc_box-test-${process.pid}`;
    const inner = `${group}/inner`;
    mkdirSync(group);
    mkdirSync(inner);
    t.teardown(() => {
      for (const dir of [inner, group]) rmdirSync(dir);
    });
    // The state of the group around it counts as well.
    const script = `sleep 1000 & echo $! > ${inner}/cgroup.procs; echo FROZEN > ${inner}/freezer.state; echo FROZEN > ${group}/freezer.state; exit 3`;
    const running = start(t, ['sh', '-c', script], { options: ['--grace', '200ms'] });
    t.equal((await running.done).code, 3);
    t.strictSame(running.members(), []);
    t.equal(readFileSync(`${group}/freezer.state`, 'utf8'), 'THAWED\n');
  },
);

t.test('a child that became root is named, and waited for no longer than seconds', { skip: notRoot }, async (t) => {
  const dir = temporaryFolder(t);
  chmodSync(dir, 0o755);
  // Setuid alone would leave the user the right to signal it.
  const become = join(dir, 'become');
  copyFileSync(findProgram('setpriv')!, become);
  chmodSync(become, 0o4755);
  const script = `${become} --reuid=0 sh -c 'echo ready; exec sleep 1000 2>/dev/null' & echo $!; read x; exit 5`;
  const running = start(t, ['sh', '-c', script], {
    options: ['--grace', '200ms', '--report'],
    through: user(),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await running.says('ready\n');
  const pid = Number(/^\d+$/m.exec(running.stdout())?.[0]);
  t.teardown(() => killQuietly(pid));
  running.child.stdin?.end('\n');
  const result = await running.done;
  t.equal(result.code, 5, 'the status is that of the main process');
  t.match(result.stderr, `SIGKILL has not ended: pid ${pid} (sleep): it runs as uid 0, which we may not signal`);
  t.match(result.stderr, new RegExp(`left behind +pid ${pid} \\(sleep\\): it runs as uid 0`), 'the report has it, too');
  t.ok(isAlive(pid));
  process.kill(pid, 'SIGKILL');
  await until(() => running.members().length === 0, 'the keeper has stayed for it, and ends with it');
});

/** Attaches to a process, and hangs. */
async function traced(t: Test, pid: number): Promise<ChildProcess> {
  const trace = `import ctypes, time\nprint(ctypes.CDLL(None).ptrace(0x4206, ${pid}, 0, 0), flush=True)\ntime.sleep(1000)`;
  const tracer = spawn(PYTHON, ['-c', trace], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => killQuietly(tracer.pid!));
  const line = await new Promise<string>((resolve) =>
    createInterface({ input: tracer.stdout }).once('line', (text) => resolve(text)),
  );
  t.equal(line, '0', 'it is traced');
  return tracer;
}

t.test('a child whose tracer hangs is named with it', { skip: notRoot }, async (t) => {
  const running = start(t, ['sh', '-c', 'sleep 1000 & echo $!; read x; exit 6'], {
    options: ['--grace', '200ms'],
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await running.says('\n');
  const pid = Number(running.stdout());
  const tracer = await traced(t, pid);
  running.child.stdin?.end('\n');
  const result = await running.done;
  t.equal(result.code, 6);
  t.match(result.stderr, `pid ${pid} (sleep): it has ended, and its tracer, pid ${tracer.pid}`);
  tracer.kill('SIGKILL');
  await until(() => running.members().length === 0, 'the keeper has reaped it, and ends');
});

t.test('a main process whose tracer hangs: the time limit ends the box all the same', { skip: notRoot }, async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; read x; exit 6'], {
    options: ['--grace', '200ms', '--timeout', '4s', '--report'],
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await running.says('ready\n');
  const pid = await running.jobPid();
  const tracer = await traced(t, pid);
  running.child.stdin?.end('\n');
  const result = await running.done;
  t.equal(result.code, 124);
  t.match(result.stderr, /ended +timeout: code 6/, 'the kernel tells how it ended');
  t.match(result.stderr, new RegExp(`left behind +pid ${pid} \\(sh\\): it has ended`));
  tracer.kill('SIGKILL');
});

t.test('1,100 groups in one another go away with their box', { skip: notRoot || withoutV1('pids') }, async (t) => {
  const dir = temporaryFolder(t);
  const deep = [
    'import os, re',
    'own = re.search(":pids:(.*)", open("/proc/self/cgroup").read())[1]',
    'os.chdir("/sys/fs/cgroup/pids" + own)',
    'for _ in range(1100): os.mkdir("a-name-of-some-length"); os.chdir("a-name-of-some-length")',
    'print("/sys/fs/cgroup/pids" + own)',
  ].join('\n');
  writeFileSync(join(dir, 'deep.py'), deep);
  const result = await start(t, [PYTHON, '-S', '-E', join(dir, 'deep.py')], { options: ['--pids', '100'] }).done;
  t.equal(result.code, 0, result.stderr);
  t.match(result.stdout, /proc_box-/);
  t.notOk(existsSync(result.stdout.trim()), 'also where their path is longer than any that the kernel takes');
});
