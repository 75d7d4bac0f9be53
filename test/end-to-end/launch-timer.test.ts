import t from 'tap';
import { needsOwnNode } from '../fixtures/agent.js';
import { processState, until } from '../fixtures/processes.js';
import { job, killQuietly, run, start } from '../fixtures/run.js';

t.test('the wall clock limit is exact to 20 ms', async (t) => {
  const late: number[] = [];
  for (let round = 0; round < 7; round++) {
    const { code, stderr } = await run(t, ['sleep', '100'], { options: ['-timeout', '400ms', '--report'] });
    t.equal(code, 124);
    late.push(elapsedMs(stderr) - 400);
  }
  const median = late.sort((a, b) => a - b)[3]!;
  t.ok(median >= 0 && median <= 20, `median ${median} ms late, of ${late.join(' ')}`);
});

t.test('the limit escalates when the job ignores the stop signal', async (t) => {
  const { code, elapsedMs, stderr } = await run(t, job('ignore-all.sh'), {
    options: ['-timeout', '300ms', '--grace', '300ms'],
  });
  t.equal(code, 124);
  t.ok(elapsedMs > 590 && elapsedMs < 1500, `${elapsedMs} ms`);
  t.match(stderr, /^proc_box: time limit of 300 ms \(-timeout\) reached\nTask elapsed time/m);
});

t.test('the limit gives 124 even when the job then ends well', async (t) => {
  const { code, stdout } = await run(
    t,
    ['bash', '-c', "trap 'echo saved; exit 0' TERM; while :; do sleep 0.01; done"],
    { options: ['-timeout', '1s'] },
  );
  t.strictSame([code, stdout], [124, 'saved\n']);
});

t.test('a limit of 0 is none', async (t) => {
  const { code, stderr } = await run(t, ['sleep', '0.4'], { options: ['-timeout', '0'] });
  t.equal(code, 0);
  t.match(stderr, /no wall clock limit \(command line\)/);
});

t.test('the start line names the limit and where it came from', async (t) => {
  const cases: [string[], Record<string, string>, RegExp][] = [
    [[], {}, /wall clock limit 10 min \(default\)/],
    [['-timeout', '1h'], {}, /wall clock limit 1 h \(command line\)/],
    [[], { PBOX_TIMEOUT: '90s' }, /wall clock limit 1 min 30 s \(environment\)/],
    [[], { SLURM_JOB_ID: '7' }, /no wall clock limit \(scheduler\)/],
    [
      [],
      { SLURM_JOB_ID: '7', SLURM_JOB_END_TIME: String(Math.floor(Date.now() / 1000) + 500) },
      /wall clock limit 8 min \d\d s \(scheduler\)/,
    ],
    [['-timeout', '90'], {}, /wall clock limit 1 min 30 s \(command line\)/],
    [['-timeout', '1-02:03:04'], {}, /wall clock limit 1 d 02 h 03 min \(command line\)/],
    [[], { PBOX_TIMEOUT: '1:30:00' }, /wall clock limit 1 h 30 min \(environment\)/],
    [['-timeout', '5s'], { SLURM_JOB_ID: '7' }, /wall clock limit 5 s \(command line\)/],
  ];
  for (const [options, env, line] of cases) t.match((await run(t, ['true'], { options, env })).stderr, line);
});

t.test('the end of the job takes the limit away', async (t) => {
  const running = start(
    t,
    ['sh', '-c', "(trap 'sleep 0.5; exit' TERM; while :; do sleep 0.01; done) & sleep 0.1; exit 3"],
    {
      options: ['-timeout', '500ms', '--grace', '2s'],
    },
  );
  t.equal((await running.done).code, 3);
});

t.test('time in which the scheduler has stopped wrapper and job does not count', { skip: needsOwnNode }, async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; sleep 100'], { options: ['-timeout', '1500ms'] });
  await running.says('ready');
  const main = await running.jobPid();
  process.kill(-main, 'SIGSTOP');
  const wrapper = [running.nodePid(), running.pid];
  for (const pid of wrapper) process.kill(pid, 'SIGSTOP');
  await until(() => wrapper.every((pid) => processState(pid)?.state === 'T'), 'the wrapper is stopped');
  const stopped = performance.now();
  // The passing of time is what is tested.
  await until(() => performance.now() - stopped > 4500, 'more than the limit has passed', 6000);
  t.equal(processState(running.pid)?.state, 'T');
  process.kill(-main, 'SIGCONT');
  for (const pid of wrapper) process.kill(pid, 'SIGCONT');
  const resumed = performance.now();
  const { code, stderr } = await running.done;
  const took = performance.now() - resumed;
  t.equal(code, 124);
  t.ok(took > 300 && took < 2500, `ended ${took} ms after it was resumed`);
  t.match(stderr, /the wrapper was suspended for 4(\.\d\d)? s; the wall clock limit does not count it/);
});

t.test('a wrapper that is stopped does not hold up its job', async (t) => {
  const running = start(t, ['sh', '-c', 'echo ready; read line; echo went on'], { stdio: ['pipe', 'pipe', 'pipe'] });
  await running.says('ready');
  process.kill(running.pid, 'SIGSTOP');
  await until(() => processState(running.pid)?.state === 'T', 'the wrapper is stopped');
  running.child.stdin?.end('\n');
  await running.says('went on');
  killQuietly(running.pid, 'SIGCONT'); // with an agent, the guard may have resumed it
  t.equal((await running.done).code, 0);
});

function elapsedMs(stderr: string): number {
  const seconds = /Task elapsed time: (\d+\.\d\d) seconds/.exec(stderr)?.[1];
  const exact = /elapsed[^0-9]*(\d+\.\d{3}) s/.exec(stderr)?.[1];
  return Number(exact ?? seconds) * 1000;
}
