import { connect } from 'node:net';
import { agentVersion } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';

/** Questions to an agent, by frames of native/src/wire/protocol.h. */

const ASK = 82;
const ANSWER_TYPE = 22;
const HEAD_BYTES = 12;
const WAIT_MS = 2_000;

/** @returns the agent's answer, parsed. @throws EnvironmentError if no agent answers */
export function askAgent(socket: string, question: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const client = connect(socket);
    let received = Buffer.alloc(0);
    const fail = (why: string) => {
      client.destroy();
      reject(new EnvironmentError(`no agent answers at ${socket}: ${why}`));
    };
    client.setTimeout(WAIT_MS, () => fail(`nothing within ${WAIT_MS / 1000} s`));
    client.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    client.on('close', () => fail('it has closed the connection'));
    client.on('connect', () => client.write(frame(question)));
    client.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < HEAD_BYTES || received.length < HEAD_BYTES + received.readUInt32LE(0)) return;
      if (received.readUInt16LE(4) !== ANSWER_TYPE) return fail('what listens there is not an agent');
      const text = received.subarray(HEAD_BYTES, HEAD_BYTES + received.readUInt32LE(0)).toString();
      client.removeAllListeners('close').destroy();
      resolve(JSON.parse(text));
    });
  });
}

function frame(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt16LE(ASK, 4);
  head.writeUInt16LE(agentVersion, 6);
  return Buffer.concat([head, body]);
}
