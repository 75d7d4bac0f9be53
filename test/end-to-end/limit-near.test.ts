// test-timeout: 120s
import { openSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { sharedBroker } from '../fixtures/broker.js';
import { withoutV1 } from '../fixtures/cgroups.js';
import { connectOperator, type OperatedJob } from '../fixtures/operated-job.js';
import { until } from '../fixtures/processes.js';
import { run } from '../fixtures/run.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** `limit_near` comes before a limit is reached, once for each threshold; `--warn-signal` before the time limit. */

const operator = await connectOperator(t, await sharedBroker(t));

function eventsOf(job: OperatedJob, name: string) {
  return job.received.filter(({ body }) => body.event === name).map(({ body }) => body);
}

/** The thresholds of one limit that were told, in their order. */
function told(t: Test, job: OperatedJob, limit: string): number[] {
  const near = eventsOf(job, 'limit_near').filter((body) => body.limit === limit);
  for (const body of near) {
    t.strictSame(schemaErrors('event', body), []);
    t.ok(body.used >= (body.status.value * body.threshold_percent) / 100, `${body.used} of ${body.status.value}`);
  }
  return near.map((body) => body.threshold_percent);
}

t.test('of the time limit each threshold is told once, before the limit', async (t) => {
  const job = await operator.start(t, ['sleep', '60'], { options: ['--timeout', '2s', '-sint', '0'] });
  const exited = await job.event('exited');
  t.strictSame(told(t, job, 'timeout'), [80, 95]);
  const order = job.received.map(({ body }) => body.event).filter((name) => /^limit_/.test(name ?? ''));
  t.strictSame(order, ['limit_near', 'limit_near', 'limit_exceeded']);
  t.equal(exited.reason, 'timeout');
  const final = await job.sample(({ Cause }) => Cause === 'final');
  t.strictSame(final.LimitsNear, { timeout: 95 });
  t.strictSame(schemaErrors('sample', final), []);
});

t.test('a new limit has its thresholds anew', async (t) => {
  const job = await operator.start(t, ['sleep', '60'], { options: ['--timeout', '4s', '--near', '50'] });
  await job.bound();
  await job.event('limit_near');
  await job.ask('set_limit', ['timeout', '1h']);
  t.strictSame((await job.ask('sample')).result.sample.LimitsNear, {});
  await job.ask('set_limit', ['timeout', '5s']);
  await job.event('exited');
  t.strictSame(told(t, job, 'timeout'), [50, 50]);
});

const EAT = `
import sys, time
held = []
for mib in map(int, sys.argv[1:]):
    held.append(bytearray(mib << 20))
    print('has', mib, flush=True)
    time.sleep(1.5)
time.sleep(60)`;

for (const [held, options, skip] of [
  ['by the kernel', [], withoutV1('memory')],
  ['by sampling', ['--cgroup', 'off'], false],
] as const)
  t.test(`memory that is held ${held}`, { skip }, async (t) => {
    const job = await operator.start(t, ['python3', '-S', '-E', '-c', EAT, '85', '12'], {
      options: ['--memory', '100M', '-sint', '0', '--near', '60,80,95', ...options],
    });
    await job.bound();
    await until(() => told(t, job, 'memory').includes(80), '80 % is told');
    const { sample } = (await job.ask('sample')).result;
    t.match(sample.LimitsNear, { memory: /80|95/ }, 'the sample has the flag');
    t.strictSame(told(t, job, 'memory').slice(0, 2), [60, 80], 'each once');
    await job.ask('kill');
  });

t.test('page cache is no memory that ends a job', { skip: withoutV1('memory') }, async (t) => {
  const file = join(t.testdir(), 'big');
  const script = 'head -c 120M /dev/zero > "$0"; cat "$0" > /dev/null; echo read; exec sleep 60';
  const job = await operator.start(t, ['sh', '-c', script, file], { options: ['--memory', '64M', '-sint', '0'] });
  await job.bound();
  await job.printed('read');
  await job.ask('sample');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  t.strictSame(told(t, job, 'memory'), []);
  await job.ask('kill');
});

t.test('processes', async (t) => {
  const script = 'for i in 1 2 3 4 5 6 7; do sleep 60 & done; echo up; wait';
  for (const options of [['--cgroup', 'off'], []]) {
    const job = await operator.start(t, ['sh', '-c', script], { options: ['--pids', '10', ...options] });
    await job.bound();
    await until(() => told(t, job, 'pids').length > 0, 'it is told');
    t.strictSame(told(t, job, 'pids'), [80]);
    await job.ask('kill');
  }
});

t.test('stdout through a pipe, and to a file', async (t) => {
  const folder = t.testdir();
  for (const stdout of [undefined, openSync(join(folder, 'out'), 'w')]) {
    const job = await operator.start(t, ['sh', '-c', 'head -c 850000 /dev/zero; exec sleep 60'], {
      options: ['--stdoutlimit', '1000000'],
      ...(stdout !== undefined && { stdout }),
    });
    await job.bound();
    const near = await job.event('limit_near');
    t.match(near, { limit: 'stdoutlimit', threshold_percent: 80, status: { value: 1_000_000 } });
    t.ok(near.used >= 800_000 && near.used <= 850_000, `${near.used}`);
    await job.ask('set_limit', ['stdoutlimit', '880000']);
    await until(() => told(t, job, 'stdoutlimit').length === 3, 'the thresholds of the new limit');
    t.strictSame(told(t, job, 'stdoutlimit'), [80, 80, 95]);
    await job.ask('kill');
  }
});

t.test('--near none tells nothing, and what is no list is refused', async (t) => {
  const job = await operator.start(t, ['sleep', '60'], { options: ['--timeout', '500ms', '--near', 'none'] });
  await job.event('exited');
  t.strictSame(eventsOf(job, 'limit_near'), []);
  for (const near of ['', '0', '100', '80;95', '80,', 'all', '1,2,3,4,5,6,7,8,9,10,11']) {
    const { code, stderr } = await run(t, ['true'], { options: [`--near=${near}`] });
    t.equal(code, 125, near);
    t.match(stderr, /--near: ".*" is not a list of percentages: expected .* for example "80,95"/);
  }
});

const TRAPS = 'trap "echo warned" USR1; trap "exit 7" TERM QUIT; echo ready; while :; do sleep 0.02; done';

t.test('--warn-signal comes so long before the time limit, with an event', async (t) => {
  const job = await operator.start(t, ['sh', '-c', TRAPS], {
    options: ['--timeout', '4s', '--warn-signal', 'USR1@3s'],
  });
  await job.printed('warned');
  const warned = await job.event('warned');
  t.strictSame(schemaErrors('event', warned), []);
  t.match(warned, { signal: 'SIGUSR1' });
  t.ok(warned.remaining_ms > 2_500 && warned.remaining_ms <= 3_000, `${warned.remaining_ms}`);
  await job.event('exited');
  t.equal(job.stdout(), 'ready\nwarned\n', 'once');
});

t.test('the warning follows the time limit and the timer', async (t) => {
  const job = await operator.start(t, ['sh', '-c', TRAPS], {
    options: ['--timeout', '2h', '--warn-signal', 'USR1@1h'],
  });
  await job.bound();
  await job.ask('timer_stop');
  await job.ask('set_limit', ['timeout', '3h']);
  await job.ask('timer_resume');
  t.notOk(job.stdout().includes('warned'));
  await job.ask('set_limit', ['timeout', '50m']);
  await job.printed('warned');
  await job.event('warned');
  await job.ask('set_limit', ['timeout', '55m']);
  await job.ask('set_limit', ['timeout', '45m']);
  t.equal(eventsOf(job, 'warned').length, 1, 'what was warned is not warned again');
  await job.ask('set_limit', ['timeout', '2h']);
  await job.ask('set_limit', ['timeout', '1']);
  await job.event('exited');
  t.equal(eventsOf(job, 'warned').length, 2, 'a limit that lay further away again is');
});

t.test('a time limit within the warning time: the signal comes at once', async (t) => {
  const job = await operator.start(t, ['sleep', '60'], { options: ['--timeout', '1m', '--warn-signal', 'USR1'] });
  const exited = await job.event('exited');
  t.match(exited, {
    reason: 'signaled',
    signal: 'SIGUSR1',
    why: /^the job died of SIGUSR1: the signal of --warn-signal/,
  });
  const none = await run(t, ['sleep', '0.3'], { options: ['--timeout', '0', '--warn-signal', 'USR1'] });
  t.equal(none.code, 0, 'without a limit there is nothing to warn of');
});

t.test('what is no warning signal is refused', async (t) => {
  for (const text of ['', 'USR9@5m', 'USR1@', 'USR1@soon', 'KILL@5m', '@5m', 'B:USR1@5m', 'USR1@5m@6m', 'USR1@-5m']) {
    const { code, stderr } = await run(t, ['true'], { options: [`--warn-signal=${text}`] });
    t.equal(code, 125, text);
    t.match(stderr, /--warn-signal: ".*" is not a signal with a time: .* for example "USR1@5m"/);
  }
});
