import t, { type Test } from 'tap';
import { THROUGH_AGENT } from '../fixtures/agent.js';
import { sharedBroker, until } from '../fixtures/broker.js';
import { connectOperator, type Json, type OperatedJob } from '../fixtures/operated-job.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** Every remote command (contract 5): its answer through reply_to, and what it does to a real job. */

const operator = await connectOperator(t, await sharedBroker(t));

/** Children, a grandchild, a daemon in a session of its own, and a process group that `timeout` makes. */
const TREE = `
  (sleep 1001 & exec sleep 1002) &
  setsid sh -c 'sleep 1003 & exec sleep 1004' &
  timeout 1000 sleep 1005 &
  echo ready; wait`;
const TREE_SIZE = 7;

/** A shell that says so when it gets a signal. Its `sleep` ignores INT and QUIT, as in every script; sh(1), `&`. */
function trapping(action: string, ...signals: readonly (string | number)[]): string {
  return `trap 'echo bye; ${action}' ${signals.join(' ')}; echo ready; while :; do sleep 1000 & wait; done`;
}

async function startTree(t: Test, options: readonly string[] = []): Promise<OperatedJob> {
  const job = await operator.start(t, ['sh', '-c', TREE], { options });
  await job.bound();
  await until(
    () => job.processes().filter(({ comm }) => comm !== 'sh').length === TREE_SIZE - 1,
    'the whole tree runs',
  );
  t.equal(job.processes().length, TREE_SIZE);
  return job;
}

function isAnswer(t: Test, answer: Json, command: string, result: unknown = {}): void {
  t.strictSame(schemaErrors('answer', answer), [], 'follows the schema');
  t.match(answer, { ok: true, command, result });
}

function isRefused(t: Test, answer: Json, code: string, words?: RegExp): void {
  t.strictSame(schemaErrors('answer', answer), [], 'follows the schema');
  t.match(answer, { ok: false, error: { code, ...(words && { message: words }) } });
}

const MEANS = [
  ['by the freezer', [], 'frozen'],
  ['by signals', ['-cgroup', 'off'], 'T'],
] as const;
for (const [means, options, stopped] of MEANS)
  t.test(`suspend stops every process and the timer ${means}, resume undoes both`, async (t) => {
    const job = await startTree(t, options);
    isAnswer(t, await job.ask('suspend'), 'suspend', { processes: TREE_SIZE });
    t.strictSame(
      job.processes().map(({ state }) => state),
      Array(TREE_SIZE).fill(stopped),
      'answered once every process is stopped',
    );
    const first = (await job.ask('status')).result;
    t.match(first, { state: 'suspended', timer: { running: false } });
    await job.ask('suspend');
    const second = (await job.ask('status')).result;
    t.ok(second.elapsed_ms > first.elapsed_ms && second.suspended_ms > first.suspended_ms);
    t.equal(second.timer.elapsed_ms, first.timer.elapsed_ms, 'the timer stands still');
    isAnswer(t, await job.ask('resume'), 'resume', { processes: TREE_SIZE });
    await until(() => job.processes().every(({ state }) => state === 'S'), 'every process sleeps as before');
    t.match((await job.ask('status')).result, { state: 'running', timer: { running: true } });
    // A host that stands still for a moment looks like a suspension to the box, which tells of it.
    const asked = (body: Json) => body.by.via === 'amqp';
    t.match(await job.event('suspended', asked), { state: 'suspended' });
    t.match(await job.event('resumed', asked), { state: 'running' });
    await job.ask('resume');
    const told = job.received.filter(({ body }) => /^(suspended|resumed)$/.test(body.event) && asked(body));
    t.equal(told.length, 2, 'repeating either changes nothing');
  });

t.test('time in suspension does not count against the wall clock limit', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-timeout', '1h', '-grace', '100ms'] });
  await job.bound();
  await job.ask('suspend');
  // A limit from now on: how long it took until the box could be commanded is no part of it.
  const limitMs = (await job.ask('status')).result.timer.elapsed_ms + 600;
  await job.ask('set_limit', ['timeout', `${limitMs}ms`]);
  let elapsed = 0;
  while (elapsed < limitMs + 300) elapsed = (await job.ask('status')).result.elapsed_ms;
  t.equal((await job.ask('ping')).result.state, 'suspended', 'past the limit it is still there');
  await job.ask('resume');
  t.strictSame(await job.ended, { code: 124, signal: null });
  const exited = await job.event('exited');
  const ownMs = exited.elapsed_ms - exited.suspended_ms;
  t.ok(ownMs >= limitMs, `it had its whole time: ${ownMs} of ${limitMs} ms`);
  t.ok(ownMs < limitMs + 900, `and not much more: ${ownMs} of ${limitMs} ms`);
  t.match(exited, { reason: 'timeout', by: { via: 'limit' } });
  t.match(await job.event('limit_exceeded'), { limit: 'timeout' });
});

t.test(
  'stop takes a sample, sends the stop signal to the job, and is answered although the job ends of it',
  async (t) => {
    const job = await operator.start(t, ['sh', '-c', trapping('exit 7', 'QUIT')], { options: ['--grace', '300ms'] });
    await job.printed('ready');
    await job.bound();
    const answer = await job.ask('stop', [], { messageId: 'stop-1', userId: 'guest' });
    isAnswer(t, answer, 'stop', { signal: 'QUIT', grace_ms: 300 });
    t.strictSame(await job.ended, { code: 7, signal: null });
    t.equal(job.stdout(), 'ready\nbye\n');
    t.match(await job.event('exited'), {
      reason: 'stopped',
      code: 7,
      by: { via: 'amqp', message_id: 'stop-1', user: 'guest' },
    });
    t.match(await job.sample(({ Cause }) => Cause === 'stop'), { State: 'running' });
  },
);

t.test(
  'stop kills a job that ignores the signal, and what fled from its session, after the grace period',
  async (t) => {
    const script = `trap '' QUIT TERM INT HUP; setsid sh -c 'sleep 1000 & wait' & sleep 1001 & echo ready; while :; do wait; done`;
    const job = await operator.start(t, ['sh', '-c', script]);
    await job.bound();
    await job.printed('ready');
    const sentMs = performance.now();
    isAnswer(t, await job.ask('stop', ['300ms']), 'stop', { grace_ms: 300 });
    t.equal((await job.ask('status')).result.state, 'stopping');
    isRefused(t, await job.ask('suspend'), 'not_possible', /being stopped/);
    t.strictSame(await job.ended, { code: 137, signal: null });
    const tookMs = performance.now() - sentMs;
    t.ok(tookMs >= 300 && tookMs < 5_000, `after ${tookMs} ms`);
    t.strictSame(job.processes(), [], 'nothing of it lives');
    t.match(await job.event('exited'), { reason: 'stopped', signal: 'SIGKILL' });
  },
);

t.test('stop ends a suspended box: the job wakes up and may end by itself', async (t) => {
  const job = await operator.start(t, ['sh', '-c', trapping('exit 3', 'QUIT')], { options: ['--grace', '300ms'] });
  await job.printed('ready');
  await job.bound();
  await job.ask('suspend');
  isAnswer(t, await job.ask('stop'), 'stop');
  t.strictSame(await job.ended, { code: 3, signal: null });
  t.equal(job.stdout(), 'ready\nbye\n');
});

t.test('stop uses the stop signal that was asked for', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['--stop-signal', 'USR1', '--grace', '5s'] });
  await job.bound();
  isAnswer(t, await job.ask('stop'), 'stop', { signal: 'USR1', grace_ms: 5_000 });
  t.strictSame(await job.ended, { code: 138, signal: null });
});

t.test('kill ends every process of the box with SIGKILL', async (t) => {
  const job = await startTree(t);
  isAnswer(t, await job.ask('kill', undefined, { messageId: 'k1' }), 'kill', { signal: 'KILL', processes: TREE_SIZE });
  t.strictSame(await job.ended, { code: 137, signal: null });
  t.strictSame(job.processes(), []);
  t.match(await job.event('exited'), { reason: 'killed', signal: 'SIGKILL', by: { via: 'amqp', message_id: 'k1' } });
});

t.test('kill ends a suspended box', async (t) => {
  const job = await startTree(t);
  await job.ask('suspend');
  isAnswer(t, await job.ask('kill'), 'kill');
  t.strictSame(await job.ended, { code: 137, signal: null });
  t.strictSame(job.processes(), []);
});

for (const [argument, name, status] of [
  ['15', 'TERM', 143],
  [15, 'TERM', 143],
  ['TERM', 'TERM', 143],
  ['SIGTERM', 'TERM', 143],
  ['-9', 'KILL', 137],
] as const) {
  t.test(`kill with ${JSON.stringify(argument)} sends ${name}`, async (t) => {
    const job = await operator.start(t, ['sleep', '1000']);
    await job.bound();
    isAnswer(t, await job.ask('kill', [argument]), 'kill', { signal: name, processes: 1 });
    t.strictSame(await job.ended, { code: status, signal: null });
    t.match(await job.event('exited'), { reason: 'killed', signal: `SIG${name}` });
  });
}

t.test('kill with a signal that the job handles reaches every process, and the job goes on', async (t) => {
  const inner = `trap "echo inner" USR1; while :; do sleep 1000 & wait; done`;
  const job = await operator.start(t, [
    'sh',
    '-c',
    `trap 'echo outer' USR1; setsid sh -c '${inner}' & echo ready; while :; do wait; done`,
  ]);
  await job.printed('ready');
  await job.bound();
  await until(() => job.processes().some(({ comm }) => comm === 'sleep'), 'the inner shell has set its trap');
  isAnswer(t, await job.ask('kill', ['USR1']), 'kill', { signal: 'USR1' });
  await job.printed('outer');
  await job.printed('inner');
  t.equal((await job.ask('ping')).result.state, 'running');
});

t.test('an invalid signal is refused and nothing is sent', async (t) => {
  const signals = Array.from({ length: 31 }, (_, n) => n + 1).filter(
    (n) => n !== 9 && n !== 19 && n !== 17 && n !== 18,
  );
  const job = await operator.start(t, ['sh', '-c', trapping(':', ...signals)]);
  await job.printed('ready');
  await job.bound();
  for (const signal of ['SIGNOPE', '', '0', '65', '-1000', '9x', 'KILL ', 'SIGSIGTERM', 1.5, -3.5]) {
    isRefused(t, await job.ask('kill', [signal]), 'bad_arguments', /is not a signal/);
  }
  isRefused(t, await job.ask('kill', ['TERM', 'KILL']), 'bad_arguments', /expected kill \[signal\]/);
  t.equal((await job.ask('ping')).result.state, 'running');
  // A signal that was sent before would be seen before this one.
  await job.ask('kill', ['USR2']);
  await job.printed('bye');
  t.equal(job.stdout(), 'ready\nbye\n');
});

t.test('sample yields one sample for each request', async (t) => {
  const job = await startTree(t, ['-sint', '0']);
  const requested = () => job.received.filter(({ body }) => body.Cause === 'request').length;
  for (let n = 1; n <= 5; n++) {
    const answer = await job.ask('sample');
    isAnswer(t, answer, 'sample');
    const published = await job.message(({ message }) => message.properties.messageId === answer.result.message_id);
    t.strictSame(published.body, answer.result.sample, 'the answer is what is published');
    t.equal(requested(), n);
  }
  t.equal((await job.sample(({ Cause }) => Cause === 'request')).ChildPids.length, TREE_SIZE - 1);
});

t.test('20 requests for a sample at once are all answered, and share samples', async (t) => {
  const job = await startTree(t, ['-sint', '0']);
  const answers = await Promise.all(Array.from({ length: 20 }, () => job.ask('sample')));
  for (const answer of answers) t.equal(answer.ok, true);
  const ids = new Set(answers.map(({ result }) => result.message_id));
  await Promise.all([...ids].map((id) => job.message(({ message }) => message.properties.messageId === id)));
  const samples = job.received.filter(({ body }) => body.Cause === 'request');
  t.equal(samples.length, ids.size, 'every one of them was published once');
  t.ok(ids.size >= 1 && ids.size <= 20, `${ids.size} samples`);
});

t.test('change_sample_rate takes effect at once and replaces the old rate', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-sint', '1h'] });
  await job.bound();
  isAnswer(t, await job.ask('change_sample_rate', ['20ms']), 'change_sample_rate', { interval_ms: 20 });
  const intervals = () => job.received.filter(({ body }) => body.Cause === 'interval').length;
  await until(() => intervals() >= 10, '10 samples');
  isAnswer(t, await job.ask('change_sample_rate', ['10ms']), 'change_sample_rate', { interval_ms: 10 });
  isAnswer(t, await job.ask('change_sample_rate', ['1h']), 'change_sample_rate', { interval_ms: 3_600_000 });
  // Samples arrive in order: once this one has, those of the old rates have, too. Answers take a way of their own.
  const { message_id } = (await job.ask('sample')).result;
  await job.message(({ message }) => message.properties.messageId === message_id);
  const before = intervals();
  // Each of these takes as long as a sample; at the old rates there would be some in between.
  for (let n = 0; n < 100; n++) await job.ask('ping');
  t.equal(intervals(), before, 'the old rates are gone');
});

t.test('change_sample_rate refuses what is too short or no duration, and keeps the rate', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-sint', '30s'] });
  await job.bound();
  for (const rate of ['0s', '5ms', '0', '-1s', '100', 100, 'abc', '', '9.999999ms', '1e3s', 'NaNs']) {
    isRefused(t, await job.ask('change_sample_rate', [rate]), 'bad_arguments');
  }
  isRefused(t, await job.ask('change_sample_rate', []), 'bad_arguments', /expected change_sample_rate interval/);
  t.equal((await job.ask('status')).result.sample_interval_ms, 30_000);
});

t.test('timer_stop, timer_resume, timer_reset and timer_start do what their names say', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-timeout', '1h'] });
  await job.bound();
  const timer = async (command: string) => {
    const answer = await job.ask(command);
    isAnswer(t, answer, command);
    return answer.result as { running: boolean; elapsed_ms: number; remaining_ms: number; limit_ms: number };
  };
  const now = async () => (await job.ask('status')).result.timer as Awaited<ReturnType<typeof timer>>;
  const grows = async () => {
    const before = await now();
    await untilTrue(async () => (await now()).elapsed_ms > before.elapsed_ms + 10);
  };

  const stopped = await timer('timer_stop');
  t.match(stopped, { running: false, limit_ms: 3_600_000, remaining_ms: 3_600_000 - stopped.elapsed_ms });
  t.ok(stopped.elapsed_ms > 0, 'what has elapsed stays');
  t.strictSame(await now(), stopped, 'it stands');
  await job.ask('suspend');
  await job.ask('resume');
  t.strictSame(await now(), stopped, 'resume does not start a timer that timer_stop had stopped');

  const resumed = await timer('timer_resume');
  t.match(resumed, { running: true });
  t.ok(resumed.elapsed_ms >= stopped.elapsed_ms, 'without resetting');
  await grows();

  t.match(await timer('timer_reset'), { running: false, elapsed_ms: 0, remaining_ms: 3_600_000 });
  t.match(await now(), { running: false, elapsed_ms: 0 }, 'reset turns it off');

  await timer('timer_resume');
  await grows();
  const { elapsed_ms: before } = await now();
  const started = await timer('timer_start');
  t.ok(started.running && started.elapsed_ms < before, 'start begins from zero');
  await grows();
  for (const command of ['timer_stop', 'timer_resume', 'timer_reset', 'timer_start']) {
    isRefused(t, await job.ask(command, ['1']), 'bad_arguments');
  }
});

t.test('a timer that is off never ends the job; started again it does', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-timeout', '1h', '-grace', '100ms'] });
  await job.bound();
  isAnswer(t, await job.ask('timer_stop'), 'timer_stop', { running: false });
  await job.ask('set_limit', ['timeout', '700ms']);
  let elapsed = 0;
  while (elapsed < 1_000) elapsed = (await job.ask('status')).result.elapsed_ms;
  isAnswer(t, await job.ask('timer_start'), 'timer_start', { running: true });
  const startedMs = performance.now();
  t.strictSame(await job.ended, { code: 124, signal: null });
  t.ok(performance.now() - startedMs >= 600, 'after its whole time once more');
});

t.test('set_limit changes an rlimit of every process, of those that left the session too', async (t) => {
  const job = await startTree(t);
  const all = (limit: string) => job.processes().map((process) => process.limit(limit));
  for (const [name, value, shown, soft, hard] of [
    ['nofile', '123:456', 'Max open files', '123', '456'],
    ['nofile', '100:', 'Max open files', '100', '456'],
    ['nofile', ':400', 'Max open files', '100', '400'],
    ['core', 0, 'Max core file size', '0', '0'],
    ['cpu', '1h:2h', 'Max cpu time', '3600', '7200'],
    ['fsize', '1M:2GiB', 'Max file size', '1048576', '2147483648'],
    ['as', '8G', 'Max address space', '8589934592', '8589934592'],
  ] as const) {
    isAnswer(t, await job.ask('set_limit', [name, value]), 'set_limit', {
      limit: name,
      enforcement: 'rlimit',
      processes: TREE_SIZE,
      source: 'command',
    });
    t.strictSame(all(shown), Array(TREE_SIZE).fill({ soft, hard }), `${name}=${value}`);
  }
  const { limits } = (await job.ask('status')).result;
  t.match(limits.nofile, { value: 100, hard: 400, unit: 'count', enforcement: 'rlimit' });
  t.match(await job.event('limit_changed', ({ limit }) => limit === 'fsize'), {
    from: null,
    to: { value: 1_048_576, hard: 2_147_483_648, unit: 'bytes' },
    by: { via: 'amqp' },
  });
  t.match((await job.ask('sample')).result.sample.Limits.nofile, { value: 100, hard: 400 });
});

t.test('an rlimit that was set holds for processes that start later', async (t) => {
  const job = await operator.start(t, ['sh', '-c', trapping('ulimit -n; exit', 'USR1')]);
  await job.printed('ready');
  await job.bound();
  await job.ask('set_limit', ['nofile', '77']);
  await job.ask('kill', ['USR1']);
  await job.ended;
  t.equal(job.stdout(), 'ready\nbye\n77\n');
});

t.test('set_limit timeout ends the job by the new limit', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-timeout', '0', '-grace', '100ms'] });
  await job.bound();
  t.match((await job.ask('status')).result.timer, { limit_ms: null, remaining_ms: null });
  isAnswer(t, await job.ask('set_limit', ['timeout', '1h']), 'set_limit', {
    limit: 'timeout',
    value: 3_600_000,
    unit: 'ms',
  });
  t.match((await job.ask('status')).result.timer, { limit_ms: 3_600_000, running: true });
  isAnswer(t, await job.ask('set_limit', ['timeout', '0']), 'set_limit', { value: 'unlimited' });
  isAnswer(t, await job.ask('set_limit', ['timeout', '10ms']), 'set_limit', { value: 10, enforcement: 'timer' });
  t.strictSame(await job.ended, { code: 124, signal: null });
  t.match(await job.event('limit_changed'), {
    limit: 'timeout',
    from: { value: 'unlimited' },
    to: { value: 3_600_000 },
  });
});

t.test('set_limit stdoutlimit ends the job that writes more', async (t) => {
  const job = await operator.start(t, ['sh', '-c', `trap '' TERM; while :; do echo 0123456789; done`], {
    options: ['-grace', '100ms'],
  });
  await job.bound();
  isAnswer(t, await job.ask('set_limit', ['stdoutlimit', '1K']), 'set_limit', {
    limit: 'stdoutlimit',
    value: 1024,
    unit: 'bytes',
    enforcement: 'splice',
  });
  await job.ended;
  t.match(await job.event('exited'), {
    reason: 'stdoutlimit',
    by: { via: 'limit' },
    limits: { stdoutlimit: { value: 1024 } },
  });
  t.match(await job.event('limit_exceeded'), { limit: 'stdoutlimit', status: { source: 'command' } });
});

t.test('set_limit refuses unknown limits and bad values, and changes nothing', async (t) => {
  const job = await startTree(t, ['--rlimit', 'nofile=200:300']);
  const before = (await job.ask('status')).result.limits;
  isRefused(t, await job.ask('set_limit', ['nofiles', '5']), 'bad_arguments', /did you mean "nofile"/);
  isRefused(t, await job.ask('set_limit', ['boo', '5']), 'bad_arguments', /is not a limit: expected one of timeout/);
  isRefused(t, await job.ask('set_limit', ['__proto__', '5']), 'bad_arguments', /is not a limit/);
  isRefused(t, await job.ask('set_limit', ['nofile']), 'bad_arguments', /expected set_limit name value/);
  for (const [name, value] of [
    ['nofile', ''],
    ['nofile', 'many'],
    ['nofile', '-201'],
    ['nofile', '9:5'],
    ['nofile', '1:2:3'],
    ['nofile', 1.5],
    ['timeout', '5 minutes'],
    ['timeout', '-1h'],
    ['stdoutlimit', '5 bananas'],
    ['stdoutlimit', '-1T'],
  ] as const) {
    isRefused(t, await job.ask('set_limit', [name, value]), 'bad_arguments');
  }
  isRefused(t, await job.ask('set_limit', ['nofile', 'unlimited']), 'not_possible', /prlimit nofile=unlimited: EPERM/);
  const { limits, refused_commands } = (await job.ask('status')).result;
  t.strictSame(limits, before);
  t.equal(refused_commands, 15, 'each is counted');
  t.equal(job.stderr().match(/refused set_limit: "nofiles" is not a limit/g)?.length, 1, 'and the first one logged');
  t.notMatch(job.stderr(), /bananas/);
  t.strictSame(
    job.processes().map((process) => process.limit('Max open files')),
    Array(TREE_SIZE).fill({ soft: '200', hard: '300' }),
  );
});

t.test('status tells identity, state, limits with what holds them, timer and last sample', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-timeout', '1h', '--rlimit', 'nofile=64:128'] });
  await job.bound();
  const answer = await job.ask('status');
  isAnswer(t, answer, 'status', {
    identity: { scheduler: 'none', box: answer.box, job: answer.job, host: answer.host },
    state: 'running',
    executable: 'env',
    timer: { running: true, limit_ms: 3_600_000 },
    limits: {
      timeout: { value: 3_600_000, enforcement: 'timer', source: 'command line' },
      stdoutlimit: { value: 100 * 2 ** 30, enforcement: 'splice' },
      nofile: { value: 64, hard: 128, enforcement: 'rlimit' },
    },
    stdout_mode: 'pipe',
    dropped: 0,
    broker: { control: { state: 'up' }, statistics: { state: 'up' } },
    sample: { Cause: 'start' },
  });
  t.strictSame(
    job.processes().map(({ pid }) => pid),
    [answer.result.pid],
  );
  isRefused(t, await job.ask('status', ['x']), 'bad_arguments');
});

t.test('ping tells identity and state', async (t) => {
  const job = await operator.start(t, ['sleep', '1000']);
  await job.bound();
  const answer = await job.ask('ping');
  isAnswer(t, answer, 'ping', { state: 'running', identity: { box: answer.box } });
  t.strictSame(Object.keys(answer.result), ['identity', 'state', 'memory_bytes']);
});

t.test('a box that ends answers what it was asked, and is then out of reach', async (t) => {
  const job = await operator.start(t, ['sleep', '1000']);
  await job.bound();
  t.equal((await job.ask('kill')).ok, true);
  await job.ended;
  // An agent keeps the keys of a box bound for 30 s, because the next box of the user may need them: nobody answers.
  await t.rejects(job.ask('ping'), THROUGH_AGENT ? /not within .*: answer to/ : /unroutable/);
});

/** Asks again until it is so: each question is a round trip to the box. */
async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition()));
}
