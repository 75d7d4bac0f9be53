// test-waits
import t, { type Test } from 'tap';
import { type RunningAgent, startAgent } from '../fixtures/own-agent.js';
import { childrenOf, processState, until } from '../fixtures/processes.js';
import { killQuietly, start } from '../fixtures/run.js';

/** Time that a scheduler holds a box does not count, and time that the agent stands still does. */

const HOLD_MS = 2_500;
const LIMIT_MS = 4_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function limited(t: Test, agent: RunningAgent) {
  const words = ['--agent', agent.socket, '--config', 'none', '--timeout', `${LIMIT_MS}ms`, '--', 'sleep', '1000'];
  const box = start(t, words, { bare: true });
  await box.jobPid();
  return { box, began: performance.now() };
}

const treeOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(treeOf)];

async function hold(pids: readonly number[], ms: number): Promise<void> {
  for (const pid of pids) killQuietly(pid, 'SIGSTOP');
  await until(() => pids.every((pid) => processState(pid)?.state === 'T'), 'they have stopped');
  await pause(ms);
  for (const pid of pids) killQuietly(pid, 'SIGCONT');
}

t.test('a box that is stopped together with its keeper has that time later', async (t) => {
  const agent = await startAgent(t);
  const { box, began } = await limited(t, agent);
  await hold(treeOf(box.child.pid as number), HOLD_MS);
  const { code, stderr } = await box.done;
  const lastedMs = performance.now() - began;
  t.equal(code, 124);
  t.match(stderr, /the wrapper was suspended for [23]\.\d+ s; the wall clock limit does not count it/);
  t.ok(lastedMs > LIMIT_MS + HOLD_MS - 800, `${lastedMs} ms`);
});

t.test('the hold goes on beyond the limit', async (t) => {
  const agent = await startAgent(t);
  const { box, began } = await limited(t, agent);
  await hold(treeOf(box.child.pid as number), LIMIT_MS + 1_000);
  await box.done;
  const lastedMs = performance.now() - began;
  t.ok(lastedMs > LIMIT_MS + LIMIT_MS + 1_000 - 800, `${lastedMs} ms`);
});

t.test('a later agent counts an earlier hold once', async (t) => {
  const agent = await startAgent(t);
  const { box, began } = await limited(t, agent);
  await hold(treeOf(box.child.pid as number), HOLD_MS);
  await until(() => box.stderr().includes('was suspended'), 'the hold is noticed');
  killQuietly(agent.nodePid(), 'SIGKILL');
  await agent.ended;
  const next = await startAgent(t, { folder: agent.socket.slice(0, agent.socket.lastIndexOf('/')) });
  const { code, stderr } = await box.done;
  const lastedMs = performance.now() - began;
  t.equal(code, 124);
  t.equal(stderr.match(/was suspended/g)?.length, 1);
  t.ok(lastedMs > LIMIT_MS + HOLD_MS - 800 && lastedMs < LIMIT_MS + 2 * HOLD_MS - 800, `${lastedMs} ms`);
  t.ok(next.log().includes('serves boxes'));
});

t.test('an agent that stands still gives nobody more time', async (t) => {
  const agent = await startAgent(t);
  const { box, began } = await limited(t, agent);
  await hold([agent.nodePid()], HOLD_MS);
  const { code, stderr } = await box.done;
  t.equal(code, 124);
  t.notMatch(stderr, 'suspended');
  const lastedMs = performance.now() - began;
  t.ok(lastedMs < LIMIT_MS + 1_500, `${lastedMs} ms`);
});
