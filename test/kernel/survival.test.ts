import t from 'tap';
import { childrenOf, processState, until } from '../fixtures/processes.js';
import { allGone, job, killQuietly, type Running, start } from '../fixtures/run.js';

/** Jobs that try to outlive their box; each says `ready` when it is what its name says. */
// bash with a socket for stdin takes sshd for its parent, and reads ~/.bashrc.
const JOBS: Record<string, string[]> = {
  'a plain job': ['sh', '-c', 'sleep 1000 & echo ready; wait'],
  'setsid children': [
    'sh',
    '-c',
    'setsid sleep 1000 & setsid sh -c "setsid sleep 1000 & sleep 1000" & echo ready; sleep 1000',
  ],
  'a double-forked daemon that ignores every signal': job('daemon.py'),
  'timeout 100 sleep': ['sh', '-c', 'timeout 100 sleep 1000 & echo ready; wait'],
  'a shell with set -m': ['bash', '--norc', '-c', 'set -m; sleep 1000 & (sleep 1000 | sleep 1000) & echo ready; wait'],
  'stopped children': [
    'sh',
    '-c',
    "sleep 1000 & p=$!; kill -STOP $p; setsid sh -c 'kill -STOP $$' & echo ready; wait $p; sleep 1000",
  ],
  'a job that ignores every signal': job('ignore-all.sh'),
  'a fork storm': job('fork-storm.py', '6', '40'),
  'a bounded fork bomb': job('fork-bomb.py'),
};

const ENDS: Record<string, (running: Running) => void> = {
  'SIGKILL of the wrapper': ({ pid }) => process.kill(pid, 'SIGKILL'),
  'SIGKILL of the keeper': (running) => process.kill(running.keeperPid(), 'SIGKILL'),
  "SIGKILL of the wrapper's process group": ({ pid }) => process.kill(-pid, 'SIGKILL'),
  'SIGSEGV of the wrapper': ({ pid }) => process.kill(pid, 'SIGSEGV'),
  'SIGABRT of the wrapper': ({ pid }) => process.kill(pid, 'SIGABRT'),
  'SIGSEGV of the keeper': (running) => process.kill(running.keeperPid(), 'SIGSEGV'),
};

for (const [end, apply] of Object.entries(ENDS)) {
  for (const [name, command] of Object.entries(JOBS)) {
    t.test(`after ${end} nothing is left of ${name}`, async (t) => {
      const running = start(t, command, { detached: true });
      await running.says('ready');
      apply(running);
      const took = await allGone(running);
      t.ok(took < 1000, `gone after ${took} ms`);
      const { code, signal } = await running.done;
      t.not(code, 0, `unknown is never success: ${code} ${signal}`);
    });
  }
}

for (const [name, command] of Object.entries(JOBS)) {
  t.test(`a kill of the box leaves nothing of ${name}`, async (t) => {
    const running = start(t, command, { options: ['--grace', '1h'] });
    await running.says('ready');
    await running.end();
    t.strictSame(running.members(), []);
  });

  t.test(`the wall clock limit leaves nothing of ${name}`, async (t) => {
    const running = start(t, command, { options: ['-timeout', '300ms', '--grace', '200ms'] });
    const { code, elapsedMs } = await running.done;
    t.equal(code, 124);
    t.ok(elapsedMs < 2500, `${elapsedMs} ms`);
    t.strictSame(running.members(), []);
  });
}

t.test('SIGPIPE to the wrapper leaves nothing, or the job in its box', async (t) => {
  const running = start(t, JOBS['setsid children']!, { detached: true });
  await running.says('ready');
  process.kill(running.pid, 'SIGPIPE');
  process.kill(running.pid, 'SIGUSR2'); // ends the job by its default action
  await running.done;
  t.strictSame(running.members(), []);
});

t.test('a log that nobody reads any more does not end the job', async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; read line; exit 6'], { stdio: ['pipe', 'pipe', 'pipe'] });
  await running.says('ready');
  running.child.stderr?.destroy();
  running.kill('SIGHUP');
  running.child.stdin?.end('\n');
  t.equal((await running.done).code, 6);
});

t.test('the job goes on while the keeper is asked for nothing and the wrapper is stopped', async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; sleep 1000'], { detached: true });
  await running.says('ready');
  process.kill(running.pid, 'SIGSTOP');
  await until(() => processState(running.pid)?.state === 'T', 'the wrapper is stopped');
  process.kill(running.pid, 'SIGKILL');
  t.ok((await allGone(running)) < 1000, 'and its end is seen all the same');
});

t.test('SIGKILL of the wrapper at any moment of the launch leaves nothing', async (t) => {
  for (let delay = 0; delay < 60; delay += 3) {
    const running = start(t, ['sh', '-c', 'setsid sleep 1000 & sleep 1000'], { detached: true });
    await new Promise((resolve) => setTimeout(resolve, delay));
    process.kill(running.pid, 'SIGKILL');
    await running.done;
    t.ok((await allGone(running)) < 1000, `killed after ${delay} ms`);
  }
});

t.test('SIGKILL of the keeper at any moment of the launch leaves nothing', async (t) => {
  for (let delay = 0; delay < 60; delay += 3) {
    const running = start(t, ['sh', '-c', 'setsid sleep 1000 & sleep 1000'], { detached: true });
    await new Promise((resolve) => setTimeout(resolve, delay));
    // Before it is forked there is only what becomes the wrapper.
    const keepers = childrenOf(running.pid);
    for (const pid of keepers.length > 0 ? keepers : [running.pid]) killQuietly(pid);
    const { code } = await running.done;
    t.not(code, 0);
    await allGone(running);
  }
});

t.test('orphans come to the keeper while the box lives', async (t) => {
  const running = start(t, job('daemon.py'));
  await running.says('ready');
  const keeper = running.keeperPid();
  const orphan = await until(
    () =>
      childrenOf(keeper).find(
        (pid) =>
          processState(pid)?.session === pid ||
          (processState(pid)?.group !== processState(running.pid)?.group && childrenOf(keeper).length === 2),
      ),
    'the daemon is a child of the keeper',
  );
  t.equal(processState(orphan)?.ppid, keeper);
  await running.end();
  t.strictSame(running.members(), []);
});
