import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type CommandedBox, Commands } from '../../src/box/commands.js';
import type { Input } from '../../src/box/lifecycle.js';
import { stdoutStatus, timeoutStatus } from '../../src/box/limits.js';
import { EnvironmentError } from '../../src/errors.js';
import type { LimitStatus } from '../../src/model/sample.js';
import type { Answer, Command } from '../../src/model/types.js';
import { LIMITS } from '../../src/options/table/limits.js';
import { hostBox } from '../fixtures/box.js';
import { livingBox, notedKeeper } from '../fixtures/life.js';
import { jobIdentity } from '../fixtures/light.js';
import { childrenOf, until } from '../fixtures/processes.js';

const alice = { via: 'amqp', user: 'alice', messageId: 'm-1' } as const;
const STAY = ['sh', '-c', 'setsid sleep 1000 & sleep 1000 & wait'];

t.test('kill kills everything, kill with a signal sends it to everything', async (t) => {
  const one = await hostBox(t, STAY);
  t.match(await one.box.execute({ name: 'kill', signal: 9 }, alice), { ok: true });
  t.match(await one.outcome, { exitStatus: 137, reason: 'killed', by: { user: 'alice' } });
  const two = await hostBox(t, STAY);
  await until(() => childrenOf(two.box.pid).length === 2, 'its children run');
  t.match(await two.box.execute({ name: 'kill', signal: 15 }, alice), { ok: true });
  t.match(await two.outcome, { exitStatus: 143, reason: 'killed' });
});

t.test('the timer commands', async (t) => {
  const { box } = await hostBox(t, STAY, { timeoutMs: 60_000 });
  const run = async (name: 'timer_reset' | 'timer_start' | 'timer_stop' | 'timer_resume') => {
    const answer = await box.execute({ name }, alice);
    return answer.ok ? answer.result : answer;
  };
  await until(() => box.clock.status().elapsed_ms > 30, 'time passes');
  t.match(await run('timer_stop'), { running: false });
  t.ok(box.clock.status().elapsed_ms > 30);
  t.match(await run('timer_resume'), { running: true });
  t.match(await run('timer_reset'), { running: false, elapsed_ms: 0, remaining_ms: 60_000 });
  t.match(await run('timer_start'), { running: true });
});

t.test('set_limit changes a limit of the running box', async (t) => {
  const { box, outcome } = await hostBox(t, STAY);
  await until(() => childrenOf(box.pid).length === 2, 'its children run');
  t.match(await box.execute({ name: 'set_limit', limit: 'nofile', value: '100:200' }, alice), {
    ok: true,
    result: { limit: 'nofile', value: 100, hard: 200, processes: 3 },
  });
  for (const pid of [box.pid, ...childrenOf(box.pid)]) {
    t.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files\s+100\s+200/);
  }
  t.match(await box.execute({ name: 'set_limit', limit: 'nofiles', value: '1' }, alice), {
    ok: false,
    error: { code: 'bad_arguments' },
  });
  t.match(await box.execute({ name: 'set_limit', limit: 'timeout', value: '1h' }, alice), {
    ok: true,
    result: { value: 3_600_000 },
  });
  t.match(await box.execute({ name: 'status' }, alice), {
    ok: true,
    result: { state: 'running', limits: { timeout: { value: 3_600_000, source: 'command' }, nofile: { value: 100 } } },
  });
  t.match(await box.execute({ name: 'set_limit', limit: 'timeout', value: '1ms' }, alice), { ok: true });
  t.match(await outcome, { exitStatus: 124, reason: 'timeout', by: { via: 'limit' } });
});

t.test('a burst of sample requests shares samples, and each gets one', async (t) => {
  const { box } = await hostBox(t, STAY);
  const answers = await Promise.all(Array.from({ length: 20 }, () => box.execute({ name: 'sample' }, alice)));
  t.ok(answers.every(({ ok }) => ok));
});

t.test('commands to a box that has ended are refused', async (t) => {
  const { box, outcome } = await hostBox(t, ['true']);
  await outcome;
  const commands: Command[] = [{ name: 'stop' }, { name: 'kill', signal: 9 }, { name: 'suspend' }, { name: 'ping' }];
  for (const command of commands)
    t.match(await box.execute(command, alice), { ok: false, error: { code: 'ended' } }, command.name);
});

/** Commands to a box without a job; its keeper records the requests. */
function commanded(t: Test, more: Partial<CommandedBox> = {}) {
  const parts = livingBox(t, { command: ['./job'], stopSignal: 3 });
  const memory: LimitStatus = { value: 1000, unit: 'bytes', enforcement: 'cgroup1' };
  const swap: LimitStatus = { value: 0, unit: 'bytes', enforcement: 'cgroup1' };
  const reread = new Map<string, LimitStatus>();
  const box = {
    ...parts,
    identity: jobIdentity(),
    stdoutMode: 'pipe',
    resources: {
      rows: LIMITS,
      change: (_name: string, text: string) => {
        if (text === '7') throw new EnvironmentError('write "7" to memory.max: EACCES');
        return { ...memory, value: Number(text) };
      },
      reread: () => reread,
    },
    limits: new Map([
      ['timeout', timeoutStatus(60_000, 'default')],
      ['stdoutlimit', stdoutStatus(100, 'pipe', 'default')],
      ['memory', memory],
      ['swap', swap],
    ]),
    clock: { limit() {}, hold() {}, status: () => ({}) },
    ticker: { intervalMs: 0 },
    now: parts.time.now,
    life: () => parts.life.state,
    state: () => 'running',
    main: () => ({ pid: 0, startedMs: 0 }),
    sample: async () => {},
    lastSample: () => undefined,
    apply: (input: Input) => parts.life.apply(input),
    dropped: () => 0,
    brokerState: () => null,
    ...more,
  } as unknown as CommandedBox;
  const commands = new Commands(box);
  const setLimit = (limit: string, value: string) => commands.execute({ name: 'set_limit', limit, value }, alice);
  return { ...parts, box, commands, setLimit, reread };
}

const refusal = (code: string, message: string | RegExp) => ({ ok: false, error: { code, message } });

t.test('each command leaves a record with its sender and its result', async (t) => {
  const { commands, told, lines } = commanded(t);
  t.match(await commands.execute({ name: 'kill', signal: 15 }, alice), {
    ok: true,
    result: { signal: 'TERM', processes: 1 },
  });
  t.match(await commands.execute({ name: 'sample' }, alice), refusal('not_possible', 'the job has not started yet'));
  t.match(told, [
    {
      event: 'command',
      command: 'kill',
      by: { user: 'alice', message_id: 'm-1' },
      decision: 'accepted',
      answer: { ok: true },
    },
    { event: 'command', command: 'sample', answer: { ok: false, error: { code: 'not_possible' } } },
  ]);
  t.match(lines, [
    'proc_box: debug: command kill from alice: done',
    'proc_box: warn: refused sample: the job has not started yet (further refusals with code not_possible are only counted)',
    'proc_box: debug: command sample from alice: the job has not started yet',
  ]);
});

t.test('refusals of one kind are logged once and counted; a failure is logged each time', async (t) => {
  const { keeper } = notedKeeper({ stdoutLimit: () => Promise.reject(new Error('the keeper is busy')) });
  const { commands, setLimit, lines } = commanded(t, { keeper });
  const warnings = () => lines.filter((line) => line.includes('warn:')).length;
  for (let n = 0; n < 3; n++) await setLimit('nofiles', '1');
  t.equal(warnings(), 1);
  t.equal(commands.refusedCount, 3);
  for (let n = 0; n < 2; n++) t.match(await setLimit('stdoutlimit', '1M'), refusal('failed', 'the keeper is busy'));
  t.equal(warnings(), 3);
  t.equal(commands.refusedCount, 3, 'a failure is not a refusal');
  const forbidden: Answer = { ok: false, error: { code: 'forbidden', message: 'no' } };
  commands.recordRefusal(forbidden, alice, 'kill', ['9']);
  t.equal(commands.refusedCount, 4, 'refusals by others count, too');
});

t.test('repeated suspends and resumes lead to one event each', async (t) => {
  const { commands, told, asked } = commanded(t);
  for (const name of ['suspend', 'suspend', 'resume', 'resume'] as const) await commands.execute({ name }, alice);
  t.strictSame(
    told.map(({ event }) => event).filter((event) => event !== 'command'),
    ['suspended', 'resumed'],
  );
  t.strictSame(asked, [['suspend'], ['resume'], ['resume']]);
  await commands.execute({ name: 'stop' }, alice);
  t.match(await commands.execute({ name: 'suspend' }, alice), refusal('not_possible', 'the box is being stopped'));
});

t.test('the end waits for the answers of commands under way, and refuses further ones', async (t) => {
  let answer = (_: number) => {};
  const { keeper } = notedKeeper({ signal: () => new Promise<number>((resolve) => (answer = resolve)) });
  const parts = livingBox(t, {}, { keeper });
  const { commands } = commanded(t, { apply: (input) => parts.life.apply(input) });
  const killed = commands.execute({ name: 'kill', signal: 15 }, alice);
  let closed = false;
  const close = commands.close().then(() => {
    closed = true;
  });
  t.match(await commands.execute({ name: 'ping' }, alice), refusal('ended', 'the job has ended'));
  t.equal(closed, false);
  answer(4);
  t.match(await killed, { ok: true, result: { processes: 4 } });
  await close;
});

t.test('set_limit of a resource reports the limits that the kernel has changed with it', async (t) => {
  const { setLimit, told, box, reread } = commanded(t);
  reread.set('swap', { value: 5, unit: 'bytes', enforcement: 'cgroup1' });
  t.match(await setLimit('memory', '2000'), {
    ok: true,
    result: { limit: 'memory', value: 2000, source: 'command', also: { swap: { value: 5 } } },
  });
  t.match(told.slice(0, 2), [
    { event: 'limit_changed', limit: 'memory', from: { value: 1000 }, to: { value: 2000, source: 'command' } },
    { event: 'limit_changed', limit: 'swap', from: { value: 0 }, to: { value: 5 } },
  ]);
  t.match(box.limits.get('swap'), { value: 5 });
});

t.test('a limit that cannot be set is refused, and limits that the attempt has changed are reported', async (t) => {
  const { setLimit, told, reread, box } = commanded(t);
  reread.set('swap', { value: 5, unit: 'bytes', enforcement: 'cgroup1' });
  t.match(await setLimit('memory', '7'), refusal('not_possible', 'write "7" to memory.max: EACCES'));
  t.match(told, [
    { event: 'limit_changed', limit: 'swap' },
    { event: 'command', answer: { ok: false } },
  ]);
  t.match(box.limits.get('memory'), { value: 1000 });
});

t.test('stdoutlimit needs a stdout that is counted', async (t) => {
  for (const stdoutMode of ['terminal', 'other'] as const) {
    const { setLimit, asked } = commanded(t, { stdoutMode });
    t.match(await setLimit('stdoutlimit', '1M'), refusal('not_possible', /stdout is neither a file nor a pipe/));
    t.match(await setLimit('stdoutlimit', '0'), { ok: true, result: { value: 'unlimited', enforcement: 'none' } });
    t.strictSame(asked, [['stdoutLimit', 0]]);
  }
  const { setLimit, asked } = commanded(t);
  t.match(await setLimit('stdoutlimit', '+1k'), { ok: true, result: { value: 1124, enforcement: 'splice' } });
  t.strictSame(asked, [['stdoutLimit', 1124]], 'from the limit in force');
});

t.test('rlimits are changed one after the other: each relative change counts from the one before', async (t) => {
  let soft = 100;
  const turns: string[] = [];
  const { keeper } = notedKeeper({
    // Without a value it only says what is in force: the main process of this box has no number to look at.
    async rlimit(_name: string, limit: { soft?: number }) {
      turns.push(limit.soft === undefined ? 'read' : 'set');
      await new Promise((resolve) => setImmediate(resolve));
      soft = limit.soft ?? soft;
      return { changed: 1, failed: 0, errno: 0, code: '', limit: { soft, hard: 1000 } };
    },
  });
  const { setLimit } = commanded(t, { keeper, main: () => ({ pid: 4_194_305, startedMs: 0 }) });
  const answers = await Promise.all([setLimit('nofile', '+10'), setLimit('nofile', 'much'), setLimit('nofile', '+10')]);
  t.match(answers, [{ result: { value: 110 } }, { error: { code: 'bad_arguments' } }, { result: { value: 120 } }]);
  t.strictSame(turns, ['read', 'set', 'read', 'set']);
});

t.test('an rlimit is refused if no process takes it, or if no process is left', async (t) => {
  const none = { errno: 1, code: 'EPERM', limit: { soft: 1, hard: 1 } };
  const refused = commanded(t, { keeper: notedKeeper({ rlimit: () => ({ changed: 0, failed: 3, ...none }) }).keeper });
  t.match(
    await refused.setLimit('nofile', '9999'),
    refusal('not_possible', 'prlimit nofile=9999: EPERM for all 3 processes; only root can raise a hard limit'),
  );
  const empty = commanded(t, { keeper: notedKeeper({ rlimit: () => ({ changed: 0, failed: 0, ...none }) }).keeper });
  t.match(await empty.setLimit('nofile', '5'), refusal('ended', 'no process is left to limit'));
  const some = commanded(t, { keeper: notedKeeper({ rlimit: () => ({ changed: 2, failed: 1, ...none }) }).keeper });
  t.match(await some.setLimit('nofile', '5'), { ok: true, result: { processes: 2, failed: 1, error: 'EPERM' } });
});
