// test-waits
// test-timeout: 240s
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { childrenOf, processState, until } from '../fixtures/processes.js';
import { PYTHON, start, temporaryFolder } from '../fixtures/run.js';

/** What a main process leaves behind, and who else is asked to end: nobody waits for a process that would never do it. */

/** Longer than any of these may take. */
const GRACE = ['--grace', '100s'];
const SOON_MS = 20_000;

/** A process that does something with SIGTERM, says `ready`, and stays. */
function python(...lines: string[]): string {
  // print() cannot be interrupted by a handler that prints.
  const say = 'def say(text): os.write(1, text.encode() + b"\\n")';
  return ['import os, signal, sys, threading, time, ctypes', say, ...lines].join('\n');
}
const IGNORES = python('signal.signal(15, signal.SIG_IGN)', 'say("ready")', 'time.sleep(1000)');
const BLOCKS = python('signal.pthread_sigmask(0, [15])', 'say("ready")', 'time.sleep(1000)');
const BLOCKS_IN_EACH_THREAD = python(
  'signal.pthread_sigmask(0, [15])',
  'threading.Thread(target=lambda: time.sleep(1000)).start()',
  'say("ready")',
  'time.sleep(1000)',
);
const HANDLES = python(
  'def save(*_):',
  '  say("asked"); time.sleep(0.3); say("saved"); os._exit(0)',
  'signal.signal(15, save)',
  'say("ready")',
  'time.sleep(1000)',
);
const WAITS = python(
  'signal.pthread_sigmask(0, [15])',
  'say("ready")',
  'signal.sigwait([15]); say("asked"); time.sleep(0.3); say("saved")',
);
const WAITS_IN_A_THREAD = python(
  'signal.pthread_sigmask(0, [15])',
  'def wait():',
  '  signal.sigwait([15]); say("asked"); time.sleep(0.3); say("saved"); os._exit(0)',
  'threading.Thread(target=wait).start()',
  'time.sleep(0.2)',
  'say("ready")',
  'time.sleep(1000)',
);
const READS_A_SIGNALFD = python(
  'libc = ctypes.CDLL(None)',
  'signal.pthread_sigmask(0, [15])',
  'fd = libc.signalfd(-1, (ctypes.c_uint64 * 16)(1 << 14), 0)',
  'say("ready")',
  'os.read(fd, 128); say("asked"); time.sleep(0.3); say("saved")',
);
const STOPPED = python('say("ready")', 'os.kill(os.getpid(), 19)', 'time.sleep(1000)');

/** A main process that ends with 21 once its child is ready. */
async function leaves(t: Test, child: string, options: readonly string[] = GRACE) {
  const dir = temporaryFolder(t);
  writeFileSync(join(dir, 'child.py'), child);
  const script = `${PYTHON} -S -E child.py & while ! [ -e go ]; do sleep 0.01; done; exit 21`;
  const running = start(t, ['sh', '-c', script], { options, cwd: dir });
  await running.says('ready\n');
  writeFileSync(join(dir, 'go'), '');
  return running;
}

for (const [what, child] of [
  ['ignores SIGTERM', IGNORES],
  ['blocks SIGTERM', BLOCKS],
  ['blocks SIGTERM in each of its threads', BLOCKS_IN_EACH_THREAD],
  ['was stopped', STOPPED],
] as const) {
  t.test(`nobody waits for a process that ${what}`, async (t) => {
    const result = await (await leaves(t, child)).done;
    t.equal(result.code, 21);
    t.ok(result.elapsedMs < SOON_MS, `${result.elapsedMs} ms`);
  });
}

for (const [what, child] of [
  ['has a handler', HANDLES],
  ['blocks it, and waits for it', WAITS],
  ['waits for it in one thread', WAITS_IN_A_THREAD],
  ['reads it from a signalfd', READS_A_SIGNALFD],
] as const) {
  t.test(`a process that ${what} is asked once, and has the grace period`, async (t) => {
    const result = await (await leaves(t, child)).done;
    t.strictSame([result.code, result.stdout], [21, 'ready\nasked\nsaved\n']);
  });
}

t.test('the background child of a shell, which ignores INT and QUIT, holds nothing up', async (t) => {
  const result = await start(t, ['sh', '-c', 'sleep 1000 & exit 3'], { options: GRACE }).done;
  t.equal(result.code, 3);
  t.ok(result.elapsedMs < SOON_MS, `${result.elapsedMs} ms`);
  const asked = await start(t, ['sh', '-c', 'sleep 1000 & exit 3'], { options: [...GRACE, '--stop-signal', 'QUIT'] })
    .done;
  t.equal(asked.code, 3);
});

t.test('the first process of a pid namespace, for which the kernel drops SIGTERM, holds nothing up', async (t) => {
  if (process.getuid?.() !== 0) return t.comment('unshare --pid needs root');
  const script =
    'unshare --pid --fork sh -c "echo ready; sleep 1000; :" & while ! [ -e go ]; do sleep 0.01; done; exit 21';
  const dir = temporaryFolder(t);
  const running = start(t, ['sh', '-c', script], { options: GRACE, cwd: dir });
  await running.says('ready\n');
  writeFileSync(join(dir, 'go'), '');
  t.equal((await running.done).code, 21);
});

t.test('what a process forks to save its work is left to it', async (t) => {
  const child = python(
    'def save(*_):',
    '  signal.signal(15, signal.SIG_DFL)',
    '  pid = os.fork()',
    '  if pid == 0:',
    '    time.sleep(0.5); say("saved"); os._exit(0)',
    '  os.waitpid(pid, 0); os._exit(0)',
    'signal.signal(15, save)',
    'say("ready")',
    'while True: time.sleep(1000)',
  );
  t.equal((await (await leaves(t, child)).done).stdout, 'ready\nsaved\n');
});

t.test('what an ended process leaves in its turn is asked, too', async (t) => {
  const child = python(
    'def leave(*_):',
    '  signal.signal(15, signal.SIG_DFL)',
    '  if os.fork() == 0: time.sleep(1000)',
    '  os._exit(0)',
    'signal.signal(15, leave)',
    'say("ready")',
    'time.sleep(1000)',
  );
  const result = await (await leaves(t, child)).done;
  t.ok(result.elapsedMs < SOON_MS, `${result.elapsedMs} ms`);
});

t.test('a time limit ends at once who ignores it beside the main process, and writes no core file', async (t) => {
  const script = `trap 'echo main' TERM; ${PYTHON} -S -E -c '${IGNORES}' & wait; wait; exit 5`;
  const running = start(t, ['sh', '-c', script], { options: [...GRACE, '--timeout', '2s'] });
  const result = await running.done;
  t.equal(result.code, 124);
  t.match(result.stdout, /main/);
  t.ok(result.elapsedMs < SOON_MS, `${result.elapsedMs} ms`);
});

t.test('a main process that ignores the stop signal has the grace period', async (t) => {
  const options = ['--grace', '400ms', '--timeout', '100ms'];
  const result = await start(t, ['sh', '-c', 'trap "" TERM; while :; do sleep 0.05; done'], { options }).done;
  t.equal(result.code, 124);
  t.match(result.stderr, /time limit|wall clock limit/);
});

t.test('a SIGTERM that comes again does not prolong the grace period', async (t) => {
  const script = 'trap "echo asked" TERM; echo ready; while :; do sleep 0.02; done';
  const running = start(t, ['sh', '-c', script], { options: ['--grace', '1500ms'] });
  await running.says('ready\n');
  const began = performance.now();
  const again = setInterval(() => running.kill('SIGTERM'), 300);
  running.kill('SIGTERM');
  const result = await running.done.finally(() => clearInterval(again));
  t.equal(result.code, 137);
  t.ok(performance.now() - began < 10_000, `${performance.now() - began} ms`);
});

t.test('SIGTSTP stops a job with the default action, and its timer, until SIGCONT', async (t) => {
  const running = start(t, ['sh', '-c', 'sleep 1000 & setsid sleep 1001 & echo ready; wait'], {
    options: ['--timeout', '3s', '--report'],
  });
  await running.says('ready\n');
  const pid = await running.jobPid();
  const processes = await until(
    () => (childrenOf(pid).length === 2 ? [pid, ...childrenOf(pid)] : undefined),
    'all run',
  );
  running.kill('SIGTSTP');
  await until(() => processes.every((one) => processState(one)?.state === 'T'), 'everybody has stopped');
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 3500)); // longer than the limit
  t.ok(
    processes.every((one) => processState(one)?.state === 'T'),
    'the limit has not ended it',
  );
  running.kill('SIGCONT');
  await until(() => processes.every((one) => processState(one)?.state !== 'T'), 'all go on');
  const heldMs = performance.now() - began;
  const result = await running.done;
  t.equal(result.code, 124);
  const suspendedSec = Number(/([\d.]+) s of it suspended/.exec(result.stderr)?.[1]);
  t.ok(suspendedSec * 1000 >= 3000 && suspendedSec * 1000 < heldMs + 3000, `${suspendedSec} s`);
});

t.test('a job that ignores SIGTSTP goes on, and so does its timer', async (t) => {
  const script = 'trap "" TSTP; echo ready; while :; do sleep 0.05; done';
  const running = start(t, ['sh', '-c', script], { options: ['--timeout', '2s', '--grace', '300ms'] });
  await running.says('ready\n');
  running.kill('SIGTSTP');
  t.equal((await running.done).code, 124);
});

t.test('who is let go on by somebody else after a SIGTSTP does not go on without its time limit', async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; while :; do sleep 0.05; done'], { options: ['--timeout', '3s'] });
  await running.says('ready\n');
  const pid = await running.jobPid();
  running.kill('SIGTSTP');
  await until(() => running.stderr().includes('SIGTSTP has suspended the job'), 'it is suspended');
  process.kill(pid, 'SIGCONT');
  t.equal((await running.done).code, 124);
});
