import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { adopt, adopted, bare, groupsGone, isAlive, listens } from '../fixtures/adopted.js';
import { needsOwnNode } from '../fixtures/agent.js';
import { ask, collect, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { boxIdOf, groupsOf, groupsOfProcess, withoutV1 } from '../fixtures/cgroups.js';
import { host } from '../fixtures/keeper.js';
import { childrenOf, processState, until } from '../fixtures/processes.js';
import { job, killQuietly, temporaryFolder } from '../fixtures/run.js';

/** What the kernel holds of a box around a process that ran before it. */

const need = (...controllers: string[]) => ({ skip: withoutV1(...controllers) });
const inBox = (pid: number, box: string) => Object.values(groupsOfProcess(pid)).some((path) => path.includes(box));
/** What a shell starts in the background ignores QUIT. */
const QUICK = ['--grace', '200ms'];
const limitsOf = (pid: number) => readFileSync(`/proc/${pid}/limits`, 'utf8');

t.test('limits reach the process and all of its descendants', need('pids', 'memory'), async (t) => {
  const process = bare(t, 'sleep 600 & (setsid sleep 600 & wait) & echo up; wait');
  await process.says('up');
  await until(() => process.members().length >= 4, 'its children run');
  const running = await adopted(t, process.pid, [
    '--pids',
    '40',
    '--memory',
    '200M',
    '--rlimit',
    'nofile=77:99',
    ...QUICK,
  ]);
  const box = boxIdOf(running.stderr());
  for (const pid of process.members()) {
    t.ok(inBox(pid, box), `${pid} is in the group`);
    t.match(limitsOf(pid), /Max open files +77 +99/);
  }
  t.match(running.stderr(), /nofile=77:99 \(rlimit\), memory=200 MiB \(cgroup[12]\), pids=40 \(cgroup[12]\)/);
  t.notOk(inBox(running.pid, box), 'the wrapper is outside');
  t.notOk(inBox(running.keeperPid(), box), 'and its keeper');
  process.child.kill('SIGKILL');
  await running.done;
  t.strictSame(process.members(), [], 'the end of the main process is the end of the box');
  await groupsGone(running);
});

t.test('a memory limit ends it, and the reason is told', need('memory'), async (t) => {
  const folder = temporaryFolder(t);
  const process = bare(t, `cd ${folder}; mkfifo go; echo up; read x < go; exec ${job('allocate.py', '256').join(' ')}`);
  await process.says('up');
  const running = await adopted(t, process.pid, ['--memory', '64M', '--report']);
  bare(t, `echo > ${folder}/go`);
  const { code, stderr } = await running.done;
  t.equal(code, 137);
  t.match(stderr, /ended +oom: SIGKILL/);
});

t.test('its owner is killed: it goes on within its limits, and its groups go at its end', need('pids'), async (t) => {
  const process = bare(t, 'echo up; sleep 600');
  await process.says('up');
  const running = await adopted(t, process.pid, ['--pids', '40']);
  const box = boxIdOf(running.stderr());
  const keeper = running.keeperPid();
  running.kill('SIGKILL');
  await running.done;
  t.ok(isAlive(process.pid));
  t.ok(isAlive(keeper));
  t.not(groupsOf(box).length, 0);
  process.child.kill('SIGKILL');
  // Its sleep lives on: nobody is there who would stop it.
  for (const pid of process.members()) killQuietly(pid);
  await groupsGone(running);
  await until(() => !isAlive(keeper), 'the keeper has ended');
});

t.test(
  'a box that was suspended by an owner that is killed goes on',
  { skip: needsOwnNode || need('pids').skip },
  async (t) => {
    const uri = await sharedBroker(t);
    const { channel } = await foreignClient(t, uri);
    const key = unique('adopt');
    const process = bare(t, 'while :; do echo tick; sleep 0.02; done');
    await process.says('tick');
    const running = await adopted(t, process.pid, ['-uri', uri, '--rkey', key]);
    const to = { exchange: 'amq.topic', key };
    await listens(channel, to);
    t.match((await ask(channel, to, { command: 'suspend' })).body, { ok: true });
    running.kill('SIGKILL');
    await running.done;
    const said = process.stdout().length;
    await until(() => process.stdout().length > said, 'it goes on');
  },
);

t.test('commands, samples and events as of any box', async (t) => {
  const uri = await sharedBroker(t);
  const { channel } = await foreignClient(t, uri);
  const key = unique('adopt');
  const events = await collect(channel, 'amq.topic', `${key}.events.#`);
  const samples = await collect(channel, 'amq.topic', `${key}.stats.#`);
  const process = bare(t, 'trap "" QUIT; sleep 600 & echo up; while :; do echo tick; sleep 0.05; done', {
    env: { SLURM_JOB_ID: '4711', SLURM_STEP_ID: '3', SLURM_PROCID: '1' },
  });
  await process.says('up');
  const options = [
    '-uri',
    uri,
    '--rkey',
    key,
    '--skey',
    `${key}.stats`,
    '--ekey',
    `${key}.events`,
    '--sint',
    '100ms',
    ...QUICK,
  ];
  const running = await adopted(t, process.pid, options);
  const to = { exchange: 'amq.topic', key: `${key}.job.4711` };
  const command = (name: string, ...args: string[]) =>
    ask(channel, to, { command: name, arguments: args }).then(({ body }) => body);
  await listens(channel, to);

  const status = await command('status');
  t.match(status, { ok: true, result: { pid: process.pid, state: 'running', stdout_mode: 'other' } });
  t.match(status.result.identity, { scheduler: 'slurm', job: '4711', step: '3', task: '1' }, 'its own environment');
  const { result } = await command('sample');
  t.equal(result.sample.Pid, process.pid);
  t.ok(result.sample.Counts.processes >= 2);
  t.ok(result.sample.CPUPercent < 500, 'only since the adoption');

  t.match(await command('suspend'), { ok: true });
  const said = process.stdout().length;
  await new Promise((resolve) => setTimeout(resolve, 150));
  t.equal(process.stdout().length, said, 'nobody runs');
  t.match(await command('resume'), { ok: true });
  await until(() => process.stdout().length > said, 'it goes on');

  t.match(await command('set_limit', 'nofile', '55:55'), { ok: true, result: { value: 55, hard: 55 } });
  for (const pid of [process.pid, ...childrenOf(process.pid)].filter(isAlive))
    if (processState(pid)?.comm === 'sleep') t.match(limitsOf(pid), /Max open files +55 +55/);
  t.match(await command('kill', 'USR1'), { ok: true });
  const { code } = await running.done;
  t.equal(code, 138, 'USR1 has ended it');
  t.strictSame(process.members(), []);
  const bodies = await until(() => {
    const told = events.messages.map(({ content }) => JSON.parse(content.toString()));
    return told.at(-1)?.event === 'exited' && told;
  }, 'the end');
  t.ok(bodies.length >= 8);
  t.match(bodies[0], { event: 'started', adopted: true, pid: process.pid, executable: 'sh' });
  t.match(bodies.at(-1), { event: 'exited', reason: 'killed', signal: 'SIGUSR1', exit_status: 138 });
  t.ok(samples.messages.length >= 2);
});

t.test('stop: the signal to its group, then SIGKILL to all, wherever they are', async (t) => {
  const uri = await sharedBroker(t);
  const { channel } = await foreignClient(t, uri);
  const key = unique('adopt');
  const process = bare(
    t,
    'trap "" QUIT; (setsid sh -c "trap : QUIT; sleep 600" &) ; echo up; while :; do sleep 0.05; done',
  );
  await process.says('up');
  const running = await adopted(t, process.pid, ['-uri', uri, '--rkey', key, '--grace', '200ms', '--report']);
  const to = { exchange: 'amq.topic', key };
  await listens(channel, to);
  const answer = await ask(channel, to, { command: 'stop' });
  t.match(answer.body, { ok: true, result: { signal: 'QUIT', grace_ms: 200 } });
  const { code, stderr } = await running.done;
  t.equal(code, 137);
  t.match(stderr, /ended +stopped: SIGKILL/);
  await groupsGone(running);
});

t.test('without a group: descendants, and those that were seen before their parents ended', async (t) => {
  const folder = temporaryFolder(t);
  const script = `cd ${folder}; mkfifo go; sh -c 'sleep 600 & echo $! up; read x < go' & wait; echo left; sleep 600`;
  const process = bare(t, script);
  await process.says('up');
  const orphan = Number(process.stdout().split(' ')[0]);
  const running = await adopted(t, process.pid, ['--cgroup', 'off', '--rlimit', 'core=0:0', ...QUICK]);
  bare(t, `echo > ${folder}/go`);
  await process.says('left');
  t.not(processState(orphan)?.ppid, process.pid);
  process.child.kill('SIGKILL');
  await running.done;
  t.notOk(isAlive(orphan));
});

t.test('the limit of stdout, where it is a file', async (t) => {
  const file = join(temporaryFolder(t), 'out');
  const process = bare(t, 'while :; do echo 0123456789; sleep 0.002; done', { file });
  const running = await adopted(t, process.pid, ['--stdoutlimit', '3000', '--stop-signal', 'KILL', '--report']);
  const { stderr } = await running.done;
  t.match(stderr, /ended +stdoutlimit: SIGKILL/);
  t.match(running.stderr(), /stdoutlimit=2\.9 KiB \(offset\)/);
});

t.test('a limit of stdout that nobody can hold is told, and refused by --enforce strict', async (t) => {
  const process = bare(t, 'echo up; sleep 600'); // into a pipe
  await process.says('up');
  const words = ['--stdoutlimit', '3000'];
  const strict = await adopt(t, process.pid, [...words, '--enforce', 'strict']).done;
  t.equal(strict.code, 125);
  t.match(strict.stderr, /error: --stdoutlimit has no effect: stdout of \d+ is not a file.*\(--enforce strict\)/);
  const detached = await adopt(t, process.pid, [...words, '--detach']).done;
  t.equal(detached.code, 0);
  t.match(detached.stderr, /warn: --stdoutlimit has no effect/, 'the caller reads it');
  process.child.kill('SIGKILL');
  const silent = bare(t, 'echo up; sleep 600');
  await silent.says('up');
  const running = await adopted(t, silent.pid);
  t.notMatch(running.stderr(), 'stdoutlimit has no effect', 'nobody has asked for it');
});

t.test(
  'the keeper lists the box: the process with its descendants, without those between it and the wrapper',
  async (t) => {
    const { keeper, event } = host(t, ['adopt', '--pid', `${process.pid}`]);
    await event('process');
    const [all] = await keeper.files([{ op: 'members' }]);
    const pids = all!.text.trim().split('\n').map(Number);
    t.notOk(pids.includes(keeper.pid), 'the keeper is outside');
    const other = bare(t, 'echo up; sleep 600 & wait');
    await other.says('up');
    await until(() => other.members().length === 2, 'its child runs');
    const held = host(t, ['adopt', '--pid', `${other.pid}`]);
    await held.event('process');
    const [listed] = await held.keeper.files([{ op: 'members' }]);
    t.strictSame(listed!.text.trim().split('\n').map(Number).sort(), other.members().sort());
    const moved = await held.keeper.files([
      { op: 'write', path: '/sys/fs/cgroup/cgroup.procs', text: `${process.pid}` },
    ]);
    t.strictSame(moved[0]!.error, 'EPERM', 'and moves no other');
  },
);

t.test('the keeper holds the deadline of an adopted process where nobody else does', async (t) => {
  const { monotonicMs } = await import('cgroup-utils-native');
  for (const [script, signal] of [
    ['echo up; exec sleep 600', 15],
    ['trap "" TERM; echo up; while :; do sleep 600; done', 9],
  ] as const) {
    const process = bare(t, script);
    await process.says('up');
    const { keeper, event } = host(t, ['adopt', '--pid', `${process.pid}`]);
    await event('process');
    const cgroup = { freezer: null, killFile: null, procsFile: null };
    keeper.adopt({ awaitExec: false, cgroup, stdoutMaxBytes: 0 });
    await event('started');
    keeper.deadline({ stopAtMs: monotonicMs() + 100, killAtMs: 0, graceMs: 300, signal: 15, abandon: true });
    await event('expired');
    await event('empty');
    t.match(await process.ended, { signal: signal === 15 ? 'SIGTERM' : 'SIGKILL' });
    t.strictSame(process.members(), []);
  }
});
