import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Command } from '../../src/model/types.js';
import { hostBox } from '../fixtures/box.js';
import { childrenOf, processState, until } from '../fixtures/processes.js';
import { job } from '../fixtures/run.js';

const alice = { via: 'amqp', user: 'alice', messageId: 'm-1' } as const;
const STAY = ['sh', '-c', 'setsid sleep 1000 & sleep 1000 & wait'];
const IGNORE = [...job('ignore-all.sh')]
  .slice(0, 1)
  .concat('-c', "trap '' QUIT TERM INT; while :; do sleep 0.05; done");

t.test('suspend stops every process and the timer, resume lets both go on', async (t) => {
  const { box, keeper, messages } = await hostBox(t, STAY, { timeoutMs: 60_000 });
  const members = await until(() => {
    const found = [...new Set([box.pid, ...childrenOf(box.pid), ...childrenOf(keeper.pid)])];
    return found.length === 3 && found;
  }, 'three processes');
  t.match(await box.execute({ name: 'suspend' }, alice), { ok: true, result: { processes: 3 } });
  await until(() => members.every((pid) => processState(pid)?.state === 'T'), 'all are stopped');
  t.equal(box.state, 'suspended');
  const { elapsed_ms: before } = box.clock.status();
  await until(() => box.clock.suspendedMs > 100, 'time passes');
  t.equal(box.clock.status().elapsed_ms, before);
  t.match(await box.execute({ name: 'resume' }, alice), { ok: true, result: { processes: 3 } });
  await until(() => members.every((pid) => processState(pid)?.state === 'S'), 'all go on');
  t.ok(box.clock.status().running);
  const events = messages()
    .map((message) => message['event'])
    .filter(Boolean);
  t.ok(events.indexOf('suspended') >= 0 && events.indexOf('suspended') < events.indexOf('resumed'), events.join(' '));
});

t.test('stop ends a suspended box', async (t) => {
  const { box, outcome } = await hostBox(t, STAY);
  await box.execute({ name: 'suspend' }, alice);
  await box.execute({ name: 'stop' }, alice);
  t.match(await outcome, { exitStatus: 131, reason: 'stopped', by: { user: 'alice', messageId: 'm-1' } });
});

/** The shell has run its `trap`. */
async function ignoresQuit({ pid }: { readonly pid: number }): Promise<void> {
  const ignored = () => /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0';
  await until(() => (BigInt(`0x${ignored()}`) & (1n << 2n)) !== 0n, 'SIGQUIT is ignored');
}

t.test('stop escalates, with the grace period that it names', async (t) => {
  const { box, outcome } = await hostBox(t, IGNORE, { graceMs: 3_600_000 });
  await ignoresQuit(box);
  const began = performance.now();
  await box.execute({ name: 'stop', graceMs: 200 }, alice);
  t.match(await outcome, { exitStatus: 137, reason: 'stopped' });
  t.ok(performance.now() - began < 1500);
});

t.test('a second stop may shorten the first', async (t) => {
  const { box, outcome } = await hostBox(t, IGNORE);
  await ignoresQuit(box);
  await box.execute({ name: 'stop', graceMs: 3_600_000 }, alice);
  await box.execute({ name: 'stop', graceMs: 100 }, { ...alice, user: 'bob' });
  t.match(await outcome, { reason: 'stopped', by: { user: 'alice' } });
});

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

t.test('first and final sample, the end report last, numbered without a gap', async (t) => {
  const { outcome, sent, messages } = await hostBox(t, ['true']);
  t.match(await outcome, { exitStatus: 0, reason: 'exited' });
  t.strictSame(
    sent.map(({ messageId }) => Number(/-(\d+)$/.exec(messageId)?.[1])),
    sent.map((_, n) => n + 1),
  );
  t.ok(sent.filter(({ kind }) => kind === 'sample').length >= 2);
  t.match(messages().at(-1), { event: 'exited' });
});

t.test('commands to a box that has ended are refused', async (t) => {
  const { box, outcome } = await hostBox(t, ['true']);
  await outcome;
  const commands: Command[] = [{ name: 'stop' }, { name: 'kill', signal: 9 }, { name: 'suspend' }, { name: 'ping' }];
  for (const command of commands)
    t.match(await box.execute(command, alice), { ok: false, error: { code: 'ended' } }, command.name);
});

t.test('two boxes in one process have their own timers, numbers and ends', async (t) => {
  const one = await hostBox(t, STAY, { timeoutMs: 150 });
  const two = await hostBox(t, STAY, { timeoutMs: 60_000 });
  t.match(await one.outcome, { exitStatus: 124 });
  t.equal(two.box.state, 'running');
  t.ok(two.sent.every(({ messageId }) => messageId.startsWith(`${two.box.identity.box}-`)));
  await two.box.execute({ name: 'kill', signal: 9 }, alice);
  t.match(await two.outcome, { exitStatus: 137 });
});

t.test('a keeper that dies ends its box as failed, never as success', async (t) => {
  const { box, keeper, outcome } = await hostBox(t, ['sleep', '1000']);
  process.kill(keeper.pid, 'SIGKILL');
  t.match(await outcome, { exitStatus: 125, reason: 'failed', code: null, signal: null });
  await until(
    () => processState(box.pid) === undefined || processState(box.pid)?.state === 'Z',
    'the main process died with it',
  );
});
