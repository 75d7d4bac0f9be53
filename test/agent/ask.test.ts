import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askAgent } from '../../src/agent/ask.js';
import { isEnvironmentError } from '../../src/errors.js';
import { ASK, frame } from '../fixtures/own-agent.js';
import { PYTHON, temporaryFolder } from '../fixtures/run.js';

/** A server that answers with these bytes, piece by piece; null: with nothing. */
async function serving(t: Test, pieces: readonly Buffer[] | null) {
  const asked: Buffer[] = [];
  const socket = join(temporaryFolder(t), 's');
  const server: Server = createServer((client) => {
    client.on('error', () => {});
    client.on('data', async (chunk) => {
      asked.push(chunk);
      for (const piece of pieces ?? []) {
        client.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      if (pieces?.length === 0) client.destroy();
    });
    t.teardown(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => server.close());
  return { socket, asked };
}

const answer = (text: string) => frame(22, text);

t.test('asks with a frame, and takes an answer in any pieces', async (t) => {
  const bytes = answer('{"boxes": 3}');
  for (const pieces of [[bytes], [...bytes].map((byte) => Buffer.of(byte))]) {
    const { socket, asked } = await serving(t, pieces);
    t.strictSame(await askAgent(socket, 'status'), { boxes: 3 });
    t.strictSame(Buffer.concat(asked), frame(ASK, 'status'));
  }
});

t.test('is called between the connection and the question', async (t) => {
  const { socket, asked } = await serving(t, [answer('1')]);
  let before = -1;
  await askAgent(socket, 'takeover', () => {
    before = asked.length;
  });
  t.equal(before, 0);
  await t.rejects(
    askAgent(socket, 'takeover', () => {
      throw new Error('not now');
    }),
    { message: 'not now' },
  );
  t.equal(asked.length, 1, 'then nothing is asked');
});

t.test('what is not an agent, or does not answer, is an error of the environment', async (t) => {
  const cases: readonly (readonly [readonly Buffer[] | null, RegExp])[] = [
    [[Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], /what listens there is not an agent/],
    [[answer('not JSON')], /what listens there is not an agent/],
    [[], /it has closed the connection/],
    [null, /nothing within 2 s/],
  ];
  for (const [pieces, message] of cases) {
    const { socket } = await serving(t, pieces);
    const error = await askAgent(socket, 'list').catch((error) => error);
    t.match(error, { message });
    t.ok(isEnvironmentError(error));
  }
  const missing = join(temporaryFolder(t), 's');
  t.match(await askAgent(missing, 'list').catch((error) => error), {
    message: /there is no such socket/,
    cause: { code: 'ENOENT' },
  });
});

/** Listens with a queue that is full; a line on stdin makes it answer whoever comes. */
const FULL = `
import socket, sys
path, answer = sys.argv[1], bytes.fromhex(sys.argv[2])
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(path)
server.listen(0)
waiting = []
while True:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setblocking(False)
    try: client.connect(path)
    except BlockingIOError: break
    waiting.append(client)
print('full', flush=True)
sys.stdin.readline()
while True:
    peer, _ = server.accept()
    try: peer.recv(100, socket.MSG_DONTWAIT if waiting else 0); peer.send(answer)
    except OSError: pass
    if waiting: waiting.pop().close()
`;

t.test('an agent with a full queue of connections is waited for', async (t) => {
  const socket = join(temporaryFolder(t), 's');
  const server = spawn(PYTHON, ['-c', FULL, socket, answer('{"boxes": 4}').toString('hex')]);
  t.teardown(() => server.kill('SIGKILL'));
  await new Promise((resolve) => server.stdout.once('data', resolve));
  t.match(await askAgent(socket, 'status').catch((error) => error), { message: /too many others wait for it/ });
  const asked = askAgent(socket, 'status');
  server.stdin.write('\n');
  t.strictSame(await asked, { boxes: 4 });
});
