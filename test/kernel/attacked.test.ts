import t from 'tap';
import { THROUGH_AGENT } from '../fixtures/agent.js';
import { isAlive, processState, until } from '../fixtures/processes.js';
import { allGone, killQuietly, type Running, run, start } from '../fixtures/run.js';

/** A job, or a user, that turns against the processes of its own box: docs/security.md says what that comes to. */

const JOB = ['sh', '-c', 'setsid sleep 1000 & echo ready; exec sleep 1000'];

const PROCESSES: Readonly<Record<string, (running: Running) => number>> = {
  'the front end': ({ pid }) => pid,
  Node: (running) => running.nodePid(),
  'the guard': (running) => processState(running.keeperPid())!.ppid,
  'the keeper': (running) => running.keeperPid(),
};
const names = Object.keys(PROCESSES).filter((name) => name !== 'Node' || !THROUGH_AGENT);
const pairs = names.flatMap((one) => names.filter((other) => other !== one).map((other) => [one, other] as const));

for (const [one, other] of pairs) {
  t.test(`SIGKILL of ${one}, then of ${other}: nothing is left of the job`, async (t) => {
    const running = start(t, JOB, { detached: true });
    await running.says('ready');
    for (const pid of [one, other].map((name) => PROCESSES[name]!(running))) killQuietly(pid);
    await allGone(running);
    t.not((await running.done).code, 0);
  });

  t.test(`SIGSTOP of ${one}, SIGKILL of ${other}: nothing is left of the job`, async (t) => {
    const running = start(t, JOB, { detached: true });
    await running.says('ready');
    const [stopped, killed] = [PROCESSES[one]!(running), PROCESSES[other]!(running)];
    killQuietly(stopped, 'SIGSTOP');
    killQuietly(killed);
    await until(() => running.members().length === 0, 'all have ended', 15_000);
    t.not((await running.done).code, 0);
  });

  t.test(`SIGSTOP of ${one} and ${other}: the wall clock limit holds`, async (t) => {
    const running = start(t, JOB, { detached: true, options: ['--timeout', '2s', '--grace', '500ms'] });
    await running.says('ready');
    const main = await running.jobPid();
    for (const pid of [one, other].map((name) => PROCESSES[name]!(running))) killQuietly(pid, 'SIGSTOP');
    await until(() => !isAlive(main), 'the job has ended', 15_000);
    await until(() => running.members().length === 0, 'and the box with it', 15_000);
    t.equal((await running.done).code, 124);
  });
}

t.test('a job that stops its keeper is ended by the limit all the same', async (t) => {
  const { code, elapsedMs } = await run(t, ['sh', '-c', 'kill -STOP $PPID; exec sleep 33'], {
    options: ['--timeout', '2s', '--grace', '1s'],
  });
  t.equal(code, 124);
  t.ok(elapsedMs < 15_000, `${elapsedMs} ms`);
});

t.test('SIGTERM ends a job that has stopped its keeper', async (t) => {
  const running = start(t, ['sh', '-c', 'kill -STOP $PPID; echo ready; exec sleep 33'], { options: ['--grace', '1s'] });
  await running.says('ready');
  running.kill('SIGTERM');
  t.equal((await running.done).code, 143);
});

t.test('a child outside of the session that kills keeper and front end takes the job with them', async (t) => {
  const script = `setsid sh -c 'kill -9 '$PPID' ${'$'}FRONT; exec sleep 1000' & exec sleep 1000`;
  const through = ['sh', '-c', 'FRONT=$$ exec "$@"', 'sh'];
  const running = start(t, ['sh', '-c', `echo ready; ${script}`], { through });
  await running.done;
  await until(() => running.members().length === 0, 'nothing is left', 10_000);
  t.pass();
});
