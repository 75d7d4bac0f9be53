import { join } from 'node:path';
import { listenUnix } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { Agent, type AgentParts } from '../../src/agent/agent.js';
import { askAgent, type Question } from '../../src/agent/ask.js';
import type { Host } from '../../src/agent/hosting.js';
import { createLogger } from '../../src/log.js';
import { helloFrame, originFrame, rawPeer } from '../fixtures/own-agent.js';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';

/** An agent in this process. The boxes are in test/end-to-end/agent-attacks.test.ts. */
function agentHere(t: Test, more: Partial<AgentParts> = {}) {
  const lines: string[] = [];
  const log = createLogger('info', { write: (line) => lines.push(line) });
  const socket = join(temporaryFolder(t), 's');
  const agent = new Agent({
    fd: listenUnix(socket, false, false),
    onlyUid: null,
    quotas: { boxes: 10, messagesPerSec: 10, bytes: 1_000 },
    host: { log, spec: { debug: false } } as unknown as Host,
    status: () => ({ version: '1' }),
    onTakeover() {},
    ...more,
  });
  t.teardown(() => agent.close());
  return { agent, socket, lines };
}

t.test('answers what it is asked', async (t) => {
  let taken = 0;
  const { socket, agent } = agentHere(t, { onTakeover: () => taken++ });
  t.match(await askAgent(socket, 'status'), { version: '1', boxes: 0, users: 0, waiting: 0, refused: 0 });
  t.strictSame(await askAgent(socket, 'list'), []);
  t.match(await askAgent(socket, 'what?' as Question), { error: /not a question/ });
  t.match(await askAgent(socket, 'takeover'), { pid: process.pid });
  t.equal(taken, 1);
  t.equal(agent.boxes, 0);
});

t.test('an agent of one user serves no other', async (t) => {
  const { socket, lines } = agentHere(t, { onlyUid: 4_000_000 });
  await rawPeer(t, socket, helloFrame(), originFrame()).closed;
  t.match(lines.join(''), /this agent serves only boxes of uid 4000000/);
});

t.test('with no boxes allowed, the keeper hears why before it is refused', async (t) => {
  const { socket, lines } = agentHere(t, { quotas: { boxes: 0, messagesPerSec: 1, bytes: 1 } });
  const said = (await rawPeer(t, socket, helloFrame(), originFrame()).closed).toString('latin1');
  t.match(said, /the node agent does not serve this box: this user has 0 boxes here/);
  t.match(lines.join(''), /may have no more \(--boxes-per-user\)/);
});

t.test('when it closes, those who have connected are let go, and nobody else gets in', async (t) => {
  const { socket, agent } = agentHere(t);
  const { client, closed } = rawPeer(t, socket);
  await until(() => client.readyState === 'open', 'it is connected');
  await agent.close();
  await closed;
  await t.rejects(askAgent(socket, 'status'), { message: /nobody listens there/ });
});
