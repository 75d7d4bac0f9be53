// test-timeout: 90s
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import { startAgent } from '../fixtures/own-agent.js';
import { killQuietly } from '../fixtures/run.js';

/** An agent that dies between its stop of a box at the time limit and the end of the job: the exit status is that of the limit. */

/** Handles SIGTERM as it says, and does not end before the SIGKILL unless it says so. */
const script = (onTerm: string) => `trap "echo asked; ${onTerm}" TERM; echo up; while :; do sleep 0.05; done`;

/** A box whose time limit is over. Its agent is killed before the job has ended. */
async function orphan(t: Test, onTerm: string, options: readonly string[]) {
  const agent = await startAgent(t);
  const box = agent.box(['sh', '-c', script(onTerm)], { options });
  await box.says('asked');
  killQuietly(agent.nodePid(), 'SIGKILL');
  await agent.ended;
  return { box, folder: dirname(agent.socket) };
}

const ENDS: readonly (readonly [what: string, onTerm: string])[] = [
  ['a job that SIGKILL ends', ':'],
  ['a job that ends by itself', 'sleep 0.5; exit 3'],
  ['a job that dies of the signal', 'sleep 0.5; trap - TERM; kill -TERM $$'],
];
const LIMIT = ['--timeout', '1s', '--grace', '1500ms', '--flush', '1s'];

for (const [what, onTerm] of ENDS) {
  t.test(`${what}, and no other agent comes`, async (t) => {
    const { box } = await orphan(t, onTerm, LIMIT);
    t.equal((await box.done).code, 124);
  });

  t.test(`${what}, and another agent comes`, async (t) => {
    const { box, folder } = await orphan(t, onTerm, LIMIT);
    await startAgent(t, { folder });
    const { code, stderr } = await box.done;
    t.equal(code, 124);
    t.match(stderr, /time limit of 1 s \(--timeout\) reached/);
    t.notMatch(stderr, /did not send it|did not respond/);
  });
}

t.test(
  'a job that has ended before the limit keeps its own status, although others of its box reach the limit',
  async (t) => {
    const agent = await startAgent(t);
    const rest = '(trap "echo asked" TERM; while :; do sleep 0.05; done) & exit 7';
    const box = agent.box(['sh', '-c', rest], { options: ['--linger', ...LIMIT] });
    await box.says('asked');
    killQuietly(agent.nodePid(), 'SIGKILL');
    await agent.ended;
    t.equal((await box.done).code, 7);
  },
);
