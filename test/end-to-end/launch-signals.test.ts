import t from 'tap';
import { needsOwnNode } from '../fixtures/agent.js';
import { childrenOf, processState, until } from '../fixtures/processes.js';
import { allGone, job, run, start } from '../fixtures/run.js';

for (const name of ['SIGINT', 'SIGQUIT', 'SIGTERM'] as const) {
  t.test(`${name} is forwarded to the job's group, which may end in its own way`, async (t) => {
    const trap = name.slice(3);
    const running = start(t, [
      'bash',
      '-c',
      `trap 'echo got ${trap}; exit 31' ${trap}; echo ready; while :; do sleep 0.01; done`,
    ]);
    await running.says('ready');
    running.kill(name);
    const result = await running.done;
    t.strictSame([result.code, result.stdout], [31, `ready\ngot ${trap}\n`]);
  });

  t.test(`${name} escalates to SIGKILL of everything after the grace period`, async (t) => {
    const running = start(t, job('ignore-all.sh'), { options: ['--grace', '300ms'] });
    await running.says('ready');
    const began = performance.now();
    running.kill(name);
    t.equal((await running.done).code, 137);
    const took = performance.now() - began;
    t.ok(took >= 290 && took < 1200, `after ${took} ms`);
    t.strictSame(running.members(), []);
  });
}

t.test('a second SIGINT kills at once', async (t) => {
  const running = start(t, job('ignore-all.sh'), { options: ['--grace', '1h'] });
  await running.says('ready');
  running.kill('SIGINT');
  await until(() => running.members().length > 2, 'the job goes on');
  const began = performance.now();
  running.kill('SIGINT');
  t.equal((await running.done).code, 137);
  t.ok(performance.now() - began < 500);
});

t.test('SIGTERM reaches each process of the group once', async (t) => {
  const running = start(t, job('signal-log.py', 'stay'), { options: ['--grace', '300ms'] });
  await running.says('ready');
  running.kill('SIGTERM');
  const result = await running.done;
  t.equal(result.stdout, 'ready\nSIGTERM\n');
});

for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGTSTP', 'SIGCONT'] as const) {
  t.test(`${name} is forwarded exactly once, and ends nothing`, async (t) => {
    const running = start(t, job('signal-log.py'));
    await running.says('ready');
    running.kill(name);
    await running.says(`${name}\n`);
    // The keeper answers in order: what would come twice is there before this one.
    running.kill('SIGTERM');
    const result = await running.done;
    t.strictSame([result.code, result.stdout], [40, `ready\n${name}\nSIGTERM\n`]);
  });
}

t.test('many signals in a row are all forwarded', async (t) => {
  const running = start(t, job('signal-log.py'));
  await running.says('ready');
  for (let n = 1; n <= 20; n++) {
    running.kill('SIGUSR1');
    await until(() => running.stdout().split('SIGUSR1\n').length > n, `signal ${n} has arrived`);
  }
  running.kill('SIGTERM');
  t.equal((await running.done).stdout, `ready\n${'SIGUSR1\n'.repeat(20)}SIGTERM\n`);
});

t.test('SIGHUP takes a sample and is not forwarded', async (t) => {
  const running = start(t, job('signal-log.py'));
  await running.says('ready');
  running.kill('SIGHUP');
  running.kill('SIGUSR2');
  await running.says('SIGUSR2');
  running.kill('SIGTERM');
  const result = await running.done;
  t.strictSame([result.code, result.stdout], [40, 'ready\nSIGUSR2\nSIGTERM\n']);
});

t.test('SIGCONT lets a stopped job go on, and the wrapper was not stopped with it', async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; while :; do sleep 0.01; done']);
  const main = await running.jobPid();
  await running.says('ready');
  process.kill(main, 'SIGSTOP');
  await until(() => processState(main)?.state === 'T', 'the job is stopped');
  t.not(processState(running.pid)?.state, 'T', 'there is no terminal whose shell waits for it');
  running.kill('SIGCONT');
  await until(() => processState(main)?.state !== 'T', 'the job goes on');
  running.kill('SIGTERM');
  t.equal((await running.done).code, 143);
});

t.test('SIGTERM of a stopped job ends it within the grace period', async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; while :; do sleep 0.01; done'], { options: ['--grace', '400ms'] });
  const main = await running.jobPid();
  await running.says('ready');
  process.kill(main, 'SIGSTOP');
  await until(() => processState(main)?.state === 'T', 'the job is stopped');
  running.kill('SIGTERM');
  const { code } = await running.done;
  t.ok(code === 137 || code === 143, `status ${code}`);
  t.strictSame(running.members(), []);
});

t.test('a signal to the whole group of the wrapper reaches the job once', async (t) => {
  const running = start(t, job('signal-log.py'), { detached: true });
  await running.says('ready');
  process.kill(-running.pid, 'SIGUSR1');
  await running.says('SIGUSR1');
  process.kill(-running.pid, 'SIGTERM');
  const result = await running.done;
  t.strictSame([result.code, result.stdout], [40, 'ready\nSIGUSR1\nSIGTERM\n']);
});

t.test('signals to the keeper that schedulers send to whole trees do nothing', async (t) => {
  const running = start(t, job('signal-log.py'));
  await running.says('ready');
  const keeper = running.keeperPid();
  for (const name of [
    'SIGHUP',
    'SIGINT',
    'SIGQUIT',
    'SIGTERM',
    'SIGUSR1',
    'SIGTSTP',
    'SIGALRM',
    'SIGPIPE',
    'SIGCONT',
  ] as const) {
    process.kill(keeper, name);
  }
  // One that the keeper did not get: what both get from one sender was sent to the whole tree.
  running.kill('SIGUSR2');
  await running.says('SIGUSR2');
  t.equal(processState(keeper)?.comm, 'proc_box-keeper');
  t.equal(running.stdout(), 'ready\nSIGUSR2\n');
  await running.end();
});

for (const name of ['INT', 'QUIT', 'TERM'] as const) {
  t.test(
    `where SIG${name} was ignored from the start the job ignores it, and a box that gets it ends all the same`,
    async (t) => {
      const running = start(t, ['sh', '-c', 'echo ready; read line; exit 17'], {
        through: ['sh', '-c', `trap '' ${name}; exec "$@"`, 'sh'],
        stdio: ['pipe', 'pipe', 'pipe'],
        options: ['--grace', '200ms'],
      });
      await running.says('ready');
      running.kill(`SIG${name}`);
      t.equal((await running.done).code, 137, 'by the end of the grace period');
    },
  );
}

t.test('SIGHUP to a job under nohup leaves it alone', async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; read line; exit 17'], {
    through: ['nohup'],
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await running.says('ready');
  running.kill('SIGHUP');
  running.child.stdin?.end('\n');
  t.equal((await running.done).code, 17);
});

t.test('a signal before the job has started ends proc_box without one', async (t) => {
  for (let delay = 0; delay < 60; delay += 4) {
    const running = start(t, ['sleep', '100']);
    await new Promise((resolve) => setTimeout(resolve, delay));
    running.kill('SIGTERM');
    const { code, signal } = await running.done;
    t.ok(code === 143 || signal === 'SIGTERM', `after ${delay} ms: ${code} ${signal}`);
    await allGone(running);
  }
});

t.test('the status tells the signal although a child has outlived the main process', async (t) => {
  const { code } = await run(t, ['sh', '-c', 'setsid sleep 100 & kill -TERM $$'], { options: ['--grace', '100ms'] });
  t.equal(code, 143);
});

t.test(
  'proc_box has Node and the guard as children, the guard the keeper, the keeper the job',
  { skip: needsOwnNode },
  async (t) => {
    const running = start(t, ['sleep', '100']);
    const main = await running.jobPid();
    const guard = processState(running.keeperPid())!.ppid;
    t.strictSame(new Set(childrenOf(running.pid)), new Set([running.nodePid(), guard]));
    t.strictSame(childrenOf(guard), [running.keeperPid()]);
    t.strictSame(childrenOf(running.keeperPid()), [main]);
    running.kill('SIGTERM');
    await running.done;
  },
);
