import { join } from 'node:path';
import { Listener, listenUnix } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import type { Host } from '../../src/agent/hosting.js';
import { Connection, type PeerHooks } from '../../src/agent/peer.js';
import type { Refusal } from '../../src/agent/refusals.js';
import { createLogger } from '../../src/log.js';
import { ASK, frame, helloFrame, originFrame, rawPeer } from '../fixtures/own-agent.js';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';

/** Connections whose peers are this test. */
function peers(t: Test, more: Partial<PeerHooks> = {}) {
  const socket = join(temporaryFolder(t), 's');
  const host = { log: createLogger('error', { write() {} }), spec: { debug: false } } as unknown as Host;
  const refused: Refusal[] = [];
  let closed = 0;
  const connections: Connection[] = [];
  const take = (peer: ConstructorParameters<typeof Connection>[0]) =>
    connections.push(
      new Connection(peer, host, {
        whyNot: () => 'not here',
        isFlood: () => false,
        hosted() {},
        ask: (text) => ({ text: `"${text}"` }),
        refused: (refusal) => refused.push(refusal),
        closed: () => closed++,
        ...more,
      }),
    );
  const listener = new Listener(listenUnix(socket, false, false), take, () => {});
  t.teardown(() => {
    listener.close();
    for (const connection of connections) connection.close();
  });
  return { socket, refused, closedCount: () => closed, connections };
}

t.test('each connection is closed once, and refused at most once', async (t) => {
  const { socket, refused, closedCount, connections } = peers(t);
  await rawPeer(t, socket, helloFrame(), originFrame(), helloFrame(), frame(9)).closed;
  t.strictSame(refused, [{ kind: 'boxes', why: 'not here' }]);
  connections[0]!.close();
  t.equal(closedCount(), 1);
  t.equal(connections[0]!.uid, process.geteuid?.());
});

t.test('an answer is sent before what follows it, and the peer that has it may go', async (t) => {
  const order: string[] = [];
  const { socket, refused, closedCount } = peers(t, {
    ask: (text) => ({ text: `"${text}"`, next: () => order.push('next') }),
  });
  const { client, closed } = rawPeer(t, socket, frame(ASK, 'q'));
  await until(() => client.bytesRead === 15, 'it is answered');
  t.strictSame(order, ['next']);
  client.end();
  t.equal((await closed).subarray(12).toString(), '"q"');
  await until(() => closedCount() === 1, 'it is closed');
  t.strictSame(refused, []);
});

t.test('a question may be refused, and so is a flood and an error of ours', async (t) => {
  const cases: readonly (readonly [Partial<PeerHooks>, string])[] = [
    [{ ask: () => ({ kind: 'questions', why: 'too many' }) }, 'questions'],
    [{ isFlood: () => true }, 'flood'],
    [
      {
        ask: () => {
          throw new Error('of ours');
        },
      },
      'error',
    ],
  ];
  for (const [hooks, kind] of cases) {
    const { socket, refused } = peers(t, hooks);
    await rawPeer(t, socket, frame(ASK, 'q')).closed;
    t.match(refused, [{ kind }]);
  }
});

t.test('one that goes without a word is no refusal', async (t) => {
  const { socket, refused, closedCount } = peers(t);
  rawPeer(t, socket, helloFrame()).client.end();
  await until(() => closedCount() === 1, 'it is closed');
  t.strictSame(refused, []);
});
