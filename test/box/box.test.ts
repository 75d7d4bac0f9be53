import { readFileSync } from 'node:fs';
import t from 'tap';
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
