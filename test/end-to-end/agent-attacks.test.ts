import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { agentVersion } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { askAgent } from '../../src/agent/ask.js';
import type { AgentStatus } from '../../src/agent/status.js';
import {
  ASK,
  frame,
  HELLO,
  helloFrame,
  originFrame,
  type RunningAgent,
  rawPeer,
  resumedFrame,
  startAgent,
} from '../fixtures/own-agent.js';
import { until } from '../fixtures/processes.js';

/** Whoever connects to an agent may send what he likes: it costs him his connection, a line in the log, and nobody else anything. */

const statusOf = async ({ socket }: RunningAgent) => (await askAgent(socket, 'status')) as AgentStatus;
/** While the user has too many connections, his questions are refused as well. */
const waitingOf = (agent: RunningAgent) =>
  statusOf(agent).then(
    ({ waiting }) => waiting,
    () => -1,
  );

async function serves(t: Test, agent: RunningAgent): Promise<void> {
  const { code, stdout, stderr } = await agent.box(['echo', 'served']).done;
  t.equal(code, 0, stderr);
  t.equal(stdout, 'served\n');
}

const WRONG: readonly {
  readonly what: string;
  readonly bytes: readonly Buffer[];
  readonly line: RegExp;
  /** The peer ends the connection itself. */
  readonly ends?: true;
}[] = [
  {
    what: 'a frame of another version',
    bytes: [frame(ASK, 'status', agentVersion + 7)],
    line: /speaks version \d+/,
  },
  { what: 'a frame that is too long', bytes: [tooLong()], line: /a frame that is too long/ },
  { what: 'a frame of an unknown type', bytes: [frame(9)], line: /a frame of type 9/ },
  { what: 'a frame of a later type', bytes: [frame(400)], line: /a frame of type 400/ },
  { what: 'origin without hello', bytes: [originFrame()], line: /did not begin with "hello"/ },
  { what: 'hello twice', bytes: [helloFrame(), helloFrame()], line: /"hello" twice/ },
  { what: 'an event before hello', bytes: [frame(65, Buffer.alloc(16))], line: /began with "started"/ },
  { what: 'two questions', bytes: [frame(ASK, 'status'), frame(ASK, 'status')], line: /more than one question/ },
  { what: 'hello with very many words', bytes: [hello(200_000)], line: /"hello" is too long/ },
  { what: 'resumed without being asked', bytes: [helloFrame(), resumedFrame(Buffer.of())], line: /did not begin with/ },
  { what: 'origin twice', bytes: [helloFrame(), originFrame([], true), originFrame()], line: /"origin" twice/ },
  { what: 'half a frame', bytes: [frame(ASK, 'status').subarray(0, 15)], line: /within a frame/, ends: true },
  { what: 'half a head', bytes: [frame(ASK).subarray(0, 5)], line: /within a frame/, ends: true },
  { what: 'no frame at all', bytes: [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')], line: /too long|version/ },
];

function tooLong(): Buffer {
  const bytes = frame(HELLO);
  bytes.writeUInt32LE(0xffff_fff0, 0);
  return bytes;
}

/** With so many words that each costs more than it has bytes. */
function hello(words: number): Buffer {
  return helloFrame(Array.from({ length: words }, () => 'ab'));
}

for (const { what, bytes, line, ends } of WRONG) {
  t.test(`${what} costs the connection, and a line in the log`, async (t) => {
    const agent = await startAgent(t);
    const beside = agent.box(['sh', '-c', 'sleep 0.3; echo undisturbed']);
    const { client, closed } = rawPeer(t, agent.socket, ...bytes);
    if (ends) client.end();
    await closed;
    await until(() => line.test(agent.log()), `the log names it: ${agent.log()}`);
    await until(() => /the connection of pid \d+ \(uid \d+\) is closed: /.test(agent.log()), 'the log names it');
    t.equal((await statusOf(agent)).refused, 1);
    t.equal((await beside.done).stdout, 'undisturbed\n');
    await serves(t, agent);
  });
}

t.test('a frame may arrive byte by byte', async (t) => {
  const agent = await startAgent(t);
  const { client, closed } = rawPeer(t, agent.socket);
  for (const byte of frame(ASK, 'status')) {
    client.write(Buffer.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(() => client.bytesRead > 12, 'it is answered');
  client.end();
  t.match(JSON.parse((await closed).subarray(12).toString()), { boxes: 0 });
});

t.test('random bytes never end the agent', async (t) => {
  const agent = await startAgent(t);
  const peers = Array.from({ length: 200 }, (_, at) => {
    const body = randomBytes(1 + at * 7);
    return rawPeer(t, agent.socket, at % 2 ? body : frame(64 + (at % 20), body));
  });
  for (const { client } of peers) client.end();
  await Promise.all(peers.map(({ closed }) => closed));
  await serves(t, agent);
  t.ok(agent.log().split('\n').length < 30, `one line for each reason: ${agent.log()}`);
});

t.test('what a keeper claims that another agent has kept is not trusted', async (t) => {
  const agent = await startAgent(t);
  const claims = [
    Buffer.of(),
    randomBytes(1_000),
    Buffer.from('null'),
    Buffer.from('{}'),
    Buffer.from('{"version":1,"box":{"sequence":1e308,"id":"../../x"}}'),
    Buffer.from(`[${'['.repeat(60_000)}`),
    Buffer.alloc(900_000, 0x61),
  ];
  const peers = claims.map((kept) => rawPeer(t, agent.socket, helloFrame(), originFrame([], true), resumedFrame(kept)));
  await Promise.all(peers.map(({ closed }) => closed));
  await until(async () => (await statusOf(agent)).boxes === 0, 'no box is left');
  t.equal(agent.log().match(/cannot be gone on with/g)?.length, 1, 'one line');
  await serves(t, agent);
});

t.test('who says nothing, or half of it, is gone after two seconds', async (t) => {
  const agent = await startAgent(t);
  const began = performance.now();
  await Promise.all(
    [[], [helloFrame()], [tooLong().subarray(0, 3)]].map((bytes) => rawPeer(t, agent.socket, ...bytes).closed),
  );
  const tookMs = performance.now() - began;
  t.ok(tookMs > 1_900 && tookMs < 4_000, `${tookMs} ms`);
  await until(() => /did not say what it is within 2 s/.test(agent.log()), 'the log names it');
  t.equal((await statusOf(agent)).waiting, 0);
});

t.test(
  'a user has at most 256 connections without a box, however many he opens, and boxes are served beside them',
  async (t) => {
    const agent = await startAgent(t);
    const fds = () => readDescriptors(agent.nodePid());
    const before = fds();
    let refused = 0;
    let most = 0;
    const open = Array.from({ length: 40 }, () => [] as ReturnType<typeof connect>[]);
    for (const some of open) {
      for (let at = 0; at < 250; at++) {
        const client = connect(agent.socket);
        client.on('error', () => refused++);
        some.push(client);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      most = Math.max(most, fds() - before);
    }
    t.ok(most <= 300, `${most} descriptors more than before`);
    await until(() => /its user has 256 connections without a box/.test(agent.log()), 'the log names it');
    for (const client of open.flat()) client.destroy();
    await until(async () => (await waitingOf(agent)) === 0, 'all of them are gone');
    t.ok(fds() - before < 20, 'and their descriptors');
    await serves(t, agent);
    t.ok(agent.log().split('\n').length < 12, `the log is short: ${agent.log()}`);
  },
);

t.test('one who asks and does not read loses the connection, and one who asks all the time is refused', async (t) => {
  const agent = await startAgent(t);
  const slow = rawPeer(t, agent.socket, frame(ASK, 'list'));
  slow.client.pause();
  await until(() => /does not read its answer/.test(agent.log()), 'the slow reader is named', 6_000);
  const answers = await Promise.allSettled(Array.from({ length: 250 }, () => askAgent(agent.socket, 'list')));
  t.ok(answers.some(({ status }) => status === 'fulfilled'));
  t.ok(answers.some(({ status }) => status === 'rejected'));
  await until(() => /more than 100 questions in a second/.test(agent.log()), 'the log names it');
  const rows = await until(
    () => askAgent(agent.socket, 'list').catch(() => null),
    'the next second has its own questions',
  );
  t.strictSame(rows, []);
});

t.test('a keeper that floods loses its box, and no other is disturbed', async (t) => {
  const agent = await startAgent(t);
  const beside = agent.box(['sh', '-c', 'sleep 1.5; echo undisturbed']);
  const flood = rawPeer(t, agent.socket, helloFrame(), originFrame());
  const event = frame(80, Buffer.alloc(24));
  flood.client.write(Buffer.concat(Array.from({ length: 30_000 }, () => event)));
  await flood.closed;
  await until(() => /sends too many frames/.test(agent.log()), 'it is named');
  // The next second has its own frames. No event tells that it has begun.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await serves(t, agent);
  t.equal((await beside.done).stdout, 'undisturbed\n');
  await until(async () => (await statusOf(agent)).boxes === 0, 'no box is left');
});

t.test('what an agent keeps for a keeper that does not read is bounded', async (t) => {
  const agent = await startAgent(t);
  const { client } = rawPeer(t, agent.socket, helloFrame(), originFrame());
  client.pause();
  // Each signal that a front end reports is answered.
  const event = frame(80, Buffer.alloc(24));
  const gone = until(() => /does not read what it is sent/.test(agent.log()), `it is named: ${agent.log()}`, 10_000);
  const events = Buffer.concat(Array.from({ length: 15_000 }, () => event));
  client.write(events);
  // More in a second would be a flood.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  client.write(events);
  await gone;
  await until(async () => (await statusOf(agent)).boxes === 0, 'no box is left');
  await serves(t, agent);
});

t.test('quota of boxes: the next one has a Node of its own, and is told why', async (t) => {
  const agent = await startAgent(t, { words: ['--boxes-per-user', '1'] });
  const first = agent.box(['sleep', '1']);
  await until(async () => (await statusOf(agent)).boxes === 1, 'the first box is there');
  const { code, stderr } = await agent.box(['true'], { env: { PBOX_URI: 'none' } }).done;
  t.equal(code, 0);
  t.match(stderr, /the node agent does not serve this box: this user has 1 boxes here/);
  await until(() => /may have no more \(--boxes-per-user\)/.test(agent.log()), 'the log names it');
  t.equal((await first.done).code, 0);
});

function readDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
