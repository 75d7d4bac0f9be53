import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { duration } from '../../src/options/amounts.js';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator, type Json, type OperatedJob } from '../fixtures/operated-job.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** What a box publishes about a real job (contract 7 and 8), as a foreign consumer receives it. */

const operator = await connectOperator(t, await sharedBroker(t));

/** Waits for the end report: nothing follows it, so everything has come by then. */
async function finish(t: Test, job: OperatedJob): Promise<Json> {
  await job.ended;
  const exited = await job.event('exited');
  isInOrder(t, job);
  for (const { kind, body } of job.received)
    t.strictSame(schemaErrors(kind, body), [], `${kind} ${body.Sequence ?? body.sequence}`);
  return exited;
}

function isInOrder(t: Test, { received }: OperatedJob): void {
  const numbers = received.map(({ body }) => body.Sequence ?? body.sequence);
  t.strictSame(
    numbers,
    numbers.map((_, index) => index + 1),
    'one sequence without gaps',
  );
  const ids = received.map(({ message }) => message.properties.messageId);
  const { box } = received[0]!.body.Identity ?? received[0]!.body.identity;
  t.strictSame(
    ids,
    numbers.map((number) => `${box}-${number}`),
    'message ids are box and sequence',
  );
}

const samples = ({ received }: OperatedJob) => received.filter(({ kind }) => kind === 'sample').map(({ body }) => body);
const causes = (job: OperatedJob) => samples(job).map(({ Cause }) => Cause);
const cpu = ({ CPUTimes }: Json) => CPUTimes.user + CPUTimes.system;

/** Keeps one core busy for so many milliseconds of CPU time of its own. */
const SPIN = (ms: number) =>
  `const end = ${ms} * 1000; while (process.cpuUsage().user + process.cpuUsage().system < end);`;

t.test('a job of 5 ms yields a first and a final sample, and the events of its start and end', async (t) => {
  const job = await operator.start(t, ['sleep', '0.005'], { options: ['-json', '{"jobid": 42, "tags": ["x", "y"]}'] });
  const exited = await finish(t, job);
  t.strictSame(causes(job), ['start', 'final']);
  t.strictSame(
    job.received.map(({ kind, body }) => (kind === 'sample' ? body.Cause : body.event)),
    ['started', 'start', 'final', 'exited'],
  );
  t.match(exited, { exit_status: 0, code: 0, signal: null, reason: 'exited', by: null, state: 'ended' });
  t.match(await job.event('started'), { executable: 'env', argument_count: 3, stdout_mode: 'pipe', state: 'running' });
  const [first, last] = samples(job);
  t.match(last, { Memory: { rss: 0 }, State: 'ended', ChildPids: null, Counts: { processes: 0 } });
  t.ok(last.MemoryPeak.rss > 0);
  for (const { UserData } of [first, last]) t.strictSame(UserData, { jobid: 42, tags: ['x', 'y'] });
});

t.test('a command that cannot be run yields nothing but its exit status', async (t) => {
  const job = await operator.start(t, [], { options: ['--', '/no/such/program'] });
  t.strictSame(await job.ended, { code: 127, signal: null });
  t.strictSame(job.received, []);
});

t.test('messages have the exchange, keys and properties that consumers of the old one bind to', async (t) => {
  const job = await operator.start(t, ['true']);
  await finish(t, job);
  const { host } = job.received[0]!.body.identity;
  for (const { kind, body, message } of job.received) {
    const prefix = job.key.replace('.ctl', kind === 'sample' ? '.stats' : '.events');
    t.equal(message.fields.exchange, 'amq.topic');
    t.equal(message.fields.routingKey, `${prefix}.${host}`);
    t.match(message.properties, {
      contentType: 'application/json',
      type: kind === 'sample' ? 'proc_box.stats' : 'proc_box.event',
      appId: 'proc_box',
      timestamp: kind === 'sample' ? body.TimeUnix : Math.floor(Date.parse(body.time) / 1000),
    });
  }
});

t.test('numbers of -json are carried as they were given, in samples and in answers', async (t) => {
  const text = '{"id":9007199254740993,"huge":1e400,"zero":-0,"one":1.0}';
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-json', text] });
  await job.bound();
  const { body } = await operator.send(job.key, { command: 'status' });
  t.equal(body.ok, true);
  await job.ask('kill');
  await job.ended;
  await job.sample(({ Cause }) => Cause === 'final');
  const samples = job.received.filter(({ kind }) => kind === 'sample');
  t.ok(samples.length > 1);
  for (const { message } of samples) t.ok(String(message.content).includes(`"UserData":${text}`));
});

t.test('without -json UserData is null', async (t) => {
  const job = await operator.start(t, ['true']);
  await finish(t, job);
  for (const { UserData } of samples(job)) t.equal(UserData, null);
});

t.test(
  'samples come at the interval, on demand, before a stop and at the end, in one sequence with the events',
  async (t) => {
    const job = await operator.start(t, ['sleep', '1000'], { options: ['-sint', '20ms'] });
    await job.bound();
    await job.sample(({ Cause, Sequence }) => Cause === 'interval' && Sequence > 8);
    await job.ask('sample');
    await job.ask('suspend');
    await job.ask('resume');
    await job.ask('set_limit', ['nofile', '64']);
    await job.ask('kill', ['nope']);
    // At the fast rate the sample before the stop may be one that is just being taken.
    await job.ask('change_sample_rate', ['1h']);
    await job.ask('sample');
    await job.ask('stop');
    const exited = await finish(t, job);
    t.match(exited, { reason: 'stopped', refused_commands: 1, limits: { nofile: { value: 64, used: null } } });
    t.equal(causes(job)[0], 'start');
    t.equal(causes(job).at(-1), 'final');
    t.ok(causes(job).includes('stop'));
    const times = samples(job).map(({ TimeUTC }) => Date.parse(TimeUTC));
    t.strictSame(
      times,
      times.toSorted((a, b) => a - b),
    );
  },
);

t.test('a signal to the wrapper takes a sample', async (t) => {
  const job = await operator.start(t, ['sleep', '1000']);
  await job.sample(({ Cause }) => Cause === 'start');
  job.child.kill('SIGHUP');
  t.match(await job.sample(({ Cause }) => Cause === 'signal'), { State: 'running' });
  job.child.kill('SIGTERM');
  t.strictSame(await job.ended, { code: 143, signal: null });
  t.match(await finish(t, job), { reason: 'stopped', by: { via: 'signal', signal: 'SIGTERM' } });
});

t.test('counts grandchildren and daemons while they live', async (t) => {
  const script = `(sh -c 'sleep 1000 & wait' & wait) & setsid sleep 1001 & echo ready; wait`;
  const job = await operator.start(t, ['sh', '-c', script]);
  await job.printed('ready');
  await job.bound();
  let sample: Json;
  do sample = (await job.ask('sample')).result.sample;
  while (sample.Counts.processes < 5 || sample.Processes.filter(({ name }: Json) => name === 'sleep').length < 2);
  const own = job.processes().map(({ pid }) => pid);
  t.strictSame([sample.Pid, ...sample.ChildPids].toSorted(), own.toSorted());
  t.strictSame(sample.Processes.map(({ pid }: Json) => pid).toSorted(), own.toSorted(), 'and each has its row');
  t.equal(sample.NumThreads, 5);
  t.ok(sample.Memory.rss >= 5 * 100_000 && sample.Memory.vms >= sample.Memory.rss);
  t.ok(sample.OpenFiles.some(({ fd, path }: Json) => fd === 0 && path === '/dev/null'));
});

t.test('keeps the CPU time of children that have ended, and it never goes back', async (t) => {
  const script = `node -e '${SPIN(300)}'; (node -e '${SPIN(300)}' & wait); echo spun; exec sleep 1000`;
  const job = await operator.start(t, ['sh', '-c', script], { options: ['-sint', '25ms'] });
  await job.printed('spun');
  await job.bound();
  const { sample } = (await job.ask('sample')).result;
  t.strictSame(job.processes().length, 1, 'only the sleep is left');
  // Each process is counted in ticks of 10 ms, rounded down.
  t.ok(cpu(sample) >= 0.55 && cpu(sample) < 2, `${cpu(sample)} s`);
  await job.ask('kill');
  const exited = await finish(t, job);
  const course = samples(job).map(cpu);
  t.strictSame(
    course,
    course.toSorted((a, b) => a - b),
  );
  t.ok(exited.usage.user_sec + exited.usage.system_sec >= cpu(sample));
  t.ok(exited.usage.process_memory_peak_bytes > 20e6, 'the largest process was a Node');
});

t.test('CPUPercent is that of the whole tree since the last sample', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'yes >/dev/null & yes >/dev/null & echo ready; wait'], {
    options: ['-sint', '0'],
  });
  await job.printed('ready');
  await job.bound();
  // What the kernel says just before and just after each sample, whatever else the machine is busy with.
  const observe = async () => {
    const [early, earlyMs] = [spun(job), performance.now()];
    const { sample } = (await job.ask('sample')).result;
    return { early, earlyMs, sample, late: spun(job), lateMs: performance.now() };
  };
  const first = await observe();
  while (spun(job) - first.late < 0.8);
  const second = await observe();
  const most = ((second.late - first.early) / (second.earlyMs - first.lateMs)) * 1e5;
  const least = ((second.early - first.late) / (second.lateMs - first.earlyMs)) * 1e5;
  const { CPUPercent, Processes, CPUTimes } = second.sample;
  // proc_pid_stat(5) counts in ticks of 10 ms; there are two processes.
  t.ok(CPUPercent >= least * 0.95 - 2 && CPUPercent <= most * 1.05 + 2, `${least} <= ${CPUPercent} <= ${most}`);
  t.ok(CPUPercent < 205, 'two processes get two cores at most');
  t.ok(CPUTimes.user + CPUTimes.system >= second.early - 0.05);
  t.equal(Processes.filter(({ name }: Json) => name === 'yes').length, 2);
});

t.test('StdoutBytes counts what goes through a pipe', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'head -c 1000000 /dev/zero; printf x >&2']);
  const exited = await finish(t, job);
  t.equal(job.stdout().length, 1_000_000, 'byte for byte');
  const final = samples(job).at(-1);
  t.match(final, { StdoutBytes: 1_000_000, StdoutMode: 'pipe' });
  t.equal(exited.usage.stdout_bytes, 1_000_000);
});

t.test('StdoutBytes counts what goes to a file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-stdout-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const fd = openSync(join(folder, 'out'), 'w');
  const job = await operator.start(t, ['sh', '-c', 'head -c 123456 /dev/zero'], { stdout: fd });
  closeSync(fd);
  const exited = await finish(t, job);
  t.match(samples(job).at(-1), { StdoutBytes: 123_456, StdoutMode: 'file' });
  t.equal(exited.usage.stdout_bytes, 123_456);
});

t.test('I/O of ended processes is kept', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-io-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const script = `dd if=/dev/zero of=${folder}/file bs=64k count=64 conv=fsync 2>/dev/null; echo written; exec sleep 1000`;
  const job = await operator.start(t, ['sh', '-c', script]);
  await job.printed('written');
  await job.bound();
  const { IOCounters } = (await job.ask('sample')).result.sample;
  t.ok(IOCounters.write_count >= 64 && IOCounters.read_count >= 64, JSON.stringify(IOCounters));
  await job.ask('kill');
  const exited = await finish(t, job);
  t.ok(exited.usage.write_count >= IOCounters.write_count);
  t.ok(exited.usage.write_bytes >= IOCounters.write_bytes);
});

for (const [scheduler, env, identity] of [
  [
    'a Slurm array task',
    {
      SLURM_JOB_ID: '1240',
      SLURM_ARRAY_JOB_ID: '1234',
      SLURM_ARRAY_TASK_ID: '7',
      SLURM_STEP_ID: '0',
      SLURM_PROCID: '3',
      SLURM_CLUSTER_NAME: 'c1',
      SLURM_RESTART_COUNT: '2',
    },
    { scheduler: 'slurm', cluster: 'c1', job: '1234_7', step: '0', task: '3', restart: 2 },
  ],
  [
    'a Slurm batch script',
    { SLURM_JOB_ID: '1234' },
    { scheduler: 'slurm', cluster: null, job: '1234', step: 'batch', task: null, restart: 0, node: null, queue: null },
  ],
  [
    'a PBS array job',
    { PBS_JOBID: '1234[7].pbs.site', PBS_TASKNUM: '1' },
    {
      scheduler: 'pbs',
      cluster: 'pbs.site',
      job: '1234_7',
      step: null,
      task: '1',
      restart: 0,
      node: hostname().split('.')[0],
      queue: null,
    },
  ],
] as const) {
  t.test(`${scheduler} is named as its scheduler does, in keys, samples and events`, async (t) => {
    const job = await operator.start(t, ['sleep', '1000'], { env });
    await job.bound();
    const answer = (await operator.send(`${job.key}.job.${identity.job}`, { command: 'ping' })).body;
    t.match(answer, { job: identity.job, result: { identity } });
    await operator.send(`${job.key}.job.${identity.job}`, { command: 'kill', target: { job: identity.job } });
    const exited = await finish(t, job);
    t.match(exited.identity, identity);
    for (const sample of samples(job)) t.match(sample.Identity, identity);
    t.match(exited.limits.timeout, { value: 'unlimited', source: 'scheduler' }, 'its wall clock is the scheduler’s');
  });
}

t.test('the events are an audit trail: who asked for what, and what came of it', async (t) => {
  const job = await operator.start(t, ['sleep', '1000']);
  await job.bound();
  const asked: [string, (string | number)[], string][] = [
    ['change_sample_rate', ['30s'], 'a1'],
    ['set_limit', ['nofile', '50'], 'a2'],
    ['suspend', [], 'a3'],
    ['kill', ['SIGNOPE'], 'a4'],
    ['set_limit', ['nofile', 'lots'], 'a5'],
    ['stpo', [], 'a6'],
    ['stop', ['2s'], 'a7'],
  ];
  for (const [command, args, messageId] of asked) await job.ask(command, args, { messageId, userId: 'guest' });
  await finish(t, job);
  const trail = job.received.map(({ body }) => body).filter(({ event, by }) => event === 'command' && by.message_id);
  t.match(trail, [
    {
      command: 'change_sample_rate',
      arguments: { interval_ms: 30_000 },
      answer: { ok: true, result: { interval_ms: 30_000 } },
    },
    { command: 'set_limit', arguments: { limit: 'nofile', value: '50' }, answer: { ok: true } },
    { command: 'suspend', arguments: {}, answer: { ok: true, result: { processes: 1 } } },
    {
      command: 'kill',
      arguments: ['SIGNOPE'],
      decision: 'refused',
      answer: { ok: false, error: { code: 'bad_arguments' } },
    },
    {
      command: 'set_limit',
      arguments: { limit: 'nofile', value: 'lots' },
      answer: { ok: false, error: { code: 'bad_arguments' } },
    },
    { command: 'stpo', arguments: [], answer: { ok: false, error: { code: 'unknown_command' } } },
    {
      command: 'stop',
      arguments: { grace_ms: 2_000 },
      answer: { ok: true, result: { signal: 'QUIT', grace_ms: 2_000 } },
    },
  ]);
  t.strictSame(
    trail.map(({ by }) => by),
    asked.map(([, , message_id]) => ({ via: 'amqp', message_id, user: 'guest' })),
  );
  t.match(await job.event('suspended'), { by: { message_id: 'a3' } });
  t.match(await job.event('limit_changed'), {
    limit: 'nofile',
    from: null,
    to: { value: 50 },
    by: { message_id: 'a2' },
  });
  t.match(await job.event('exited'), {
    reason: 'stopped',
    by: { message_id: 'a7', user: 'guest' },
    refused_commands: 3,
  });
});

t.test('the exited event and the printed report have the same figures', async (t) => {
  const job = await operator.start(t, ['sh', '-c', `node -e '${SPIN(200)}'; head -c 5000 /dev/zero; exit 3`], {
    options: ['--report', '-timeout', '1h', '--rlimit', 'nofile=1024:4096', '-stdoutlimit', '1M'],
  });
  const exited = await finish(t, job);
  t.match(exited, { exit_status: 3, code: 3, reason: 'exited', dropped: 0 });
  const line = (name: string) => new RegExp(`^  ${name} +(.*)$`, 'm').exec(job.stderr())?.[1] ?? '';
  const { usage, identity } = exited;
  t.match(job.stderr(), `end of job ${identity.job}`);
  t.equal(line('box'), `${identity.box} on ${identity.host}, user ${identity.user}`);
  t.equal(line('ended'), 'exited: code 3');
  t.equal(line('exit status'), '3');
  t.equal(line('elapsed'), duration(exited.elapsed_ms));
  t.equal(
    line('CPU'),
    `${duration(usage.user_sec * 1000)} user + ${duration(usage.system_sec * 1000)} system, ${usage.cpu_percent} % of one core`,
  );
  t.match(line('memory peak'), `${(usage.memory_peak_bytes / 2 ** 20).toFixed(1).replace('.0', '')} MiB`);
  t.match(line('stdout'), '4.9 KiB');
  t.equal(usage.stdout_bytes, 5_000);
  // The kernel's count has seen what no sample did.
  const threads = Math.max(usage.threads_peak, usage.tasks_peak ?? 0);
  t.match(line('processes'), `${usage.processes_peak} at most, threads ${threads} at most`);
  t.match(line('timeout'), /^1 h +\S+ (?:s|ms) +\d+ +timer$/);
  t.match(line('nofile'), /^1024:4096 +- +- +rlimit$/);
  t.match(job.stderr(), `Task elapsed time: ${(exited.elapsed_ms / 1000).toFixed(2)} seconds.\n`);
});

t.test('the end report tells a signal from an exit, and what the limits were', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'kill -SEGV $$'], { options: ['--rlimit', 'core=0', '--report'] });
  t.strictSame(await job.ended, { code: 139, signal: null });
  t.match(await finish(t, job), {
    exit_status: 139,
    code: null,
    signal: 'SIGSEGV',
    reason: 'signaled',
    core_dumped: false,
  });
  t.match(job.stderr(), /ended +signaled: SIGSEGV/);
});

t.test('no argument of the job and no password shows in any message', async (t) => {
  const uri = new URL(operator.uri);
  const job = await operator.start(t, ['sh', '-c', ': sesame; sleep 1000'], { options: ['--debug'], uri: uri.href });
  await job.bound();
  await job.ask('sample');
  await job.ask('status');
  await job.ask('kill');
  await finish(t, job);
  for (const { message } of job.received) t.notMatch(message.content.toString(), /sesame|guest:guest/);
  t.notMatch(job.stderr(), /guest:guest/);
});

/** CPU time of the live processes of a job, s; proc_pid_stat(5) utime and stime. */
function spun(job: OperatedJob): number {
  return job.processes().reduce((sum, { pid }) => {
    const [utime, stime] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .slice(11, 13);
    return sum + (Number(utime) + Number(stime)) / 100;
  }, 0);
}
