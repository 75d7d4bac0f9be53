import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import amqp from 'amqplib';
import t, { type Test } from 'tap';
import '../../src/amqp/handshake.js';

/** A broker that ends a connection while it is being opened; amqplib encodes its frames. */

interface Definitions {
  encodeMethod(id: number, channel: number, fields: object): Buffer;
  readonly ConnectionStart: number;
  readonly ConnectionTune: number;
  readonly ConnectionOpenOk: number;
  readonly ConnectionClose: number;
}
const defs: Definitions = createRequire(import.meta.url)('../../node_modules/amqplib/lib/defs.js');

const START = defs.encodeMethod(defs.ConnectionStart, 0, {
  versionMajor: 0,
  versionMinor: 9,
  serverProperties: {},
  mechanisms: Buffer.from('PLAIN'),
  locales: Buffer.from('en_US'),
});
const TUNE = defs.encodeMethod(defs.ConnectionTune, 0, { channelMax: 0, frameMax: 0, heartbeat: 0 });
const close = (replyCode: number, replyText: string) =>
  defs.encodeMethod(defs.ConnectionClose, 0, { replyCode, replyText, classId: 0, methodId: 0 });

/** Answers what comes with one frame after the other. */
async function broker(t: Test, frames: readonly Buffer[]): Promise<string> {
  const server = createServer((socket) => {
    const left = [...frames];
    socket.on('error', () => {}); // the client has ended the connection
    socket.on('data', () => {
      const frame = left.shift();
      if (frame !== undefined) socket.write(frame);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return `amqp://guest:guest@127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

for (const [step, frames] of [
  ['last', [START, TUNE]],
  ['second', [START]],
] as const)
  t.test(`why a connection is refused at its ${step} step is reported in the words of the broker`, async (t) => {
    const words = "NOT_ALLOWED - vhost connection limit (0) is reached for user 'guest'";
    const uri = await broker(t, [...frames, close(530, words)]);
    await t.rejects(amqp.connect(uri), { message: new RegExp(`530.*${words.replace(/[()]/g, '\\$&')}`) });
  });

t.test('a frame that is out of place is still reported as such', async (t) => {
  const uri = await broker(t, [START, TUNE, TUNE]);
  await t.rejects(amqp.connect(uri), { message: /Expected ConnectionOpenOk/ });
});

t.test('a connection that is accepted opens as usual', async (t) => {
  const uri = await broker(t, [START, TUNE, defs.encodeMethod(defs.ConnectionOpenOk, 0, {})]);
  const abort = new AbortController();
  const options = { timeout: 5_000, signal: abort.signal };
  const connection = await amqp.connect(uri, options);
  connection.on('error', () => {});
  t.ok(connection.connection.serverProperties);
  abort.abort();
});
