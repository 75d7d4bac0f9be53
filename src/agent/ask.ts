import { connect } from 'node:net';
import { agentVersion } from 'cgroup-utils-native';
import { after } from '../delay.js';
import { EnvironmentError, isEnvironmentError } from '../errors.js';

/** Questions to an agent, by frames of native/src/wire/protocol.h. */

export type Question = 'list' | 'status' | 'takeover';

const ASK = 82;
const ANSWER_TYPE = 22;
const HEAD_BYTES = 12;
const WAIT_MS = 2_000;
/** Between two attempts while the agent's queue of connections is full: connect(2) of a non-blocking socket does not wait. */
const FULL_MS = 20;

/**
 * @param connected is called between the connection and the question
 * @returns the agent's answer, parsed
 * @throws EnvironmentError if no agent answers; its cause is the error of connect(2), if it was one
 */
export async function askAgent(socket: string, question: Question, connected = () => {}): Promise<unknown> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    try {
      return await ask(socket, question, connected);
    } catch (error) {
      if (!isFull(error) || performance.now() >= deadline) throw error;
      await new Promise<void>((resolve) => after(FULL_MS, resolve));
    }
  }
}

function isFull(error: unknown): boolean {
  return isEnvironmentError(error) && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EAGAIN';
}

function ask(socket: string, question: Question, connected: () => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const client = connect(socket);
    const chunks: Buffer[] = [];
    let received = 0;
    const fail = (why: string, cause: Error = new Error(why)) => {
      client.destroy();
      reject(new EnvironmentError(`no agent answers at ${socket}: ${why}`, { cause }));
    };
    client.setTimeout(WAIT_MS, () => fail(`nothing within ${WAIT_MS / 1000} s`));
    client.on('error', (error: NodeJS.ErrnoException) => fail(WORDED[error.code ?? ''] ?? error.message, error));
    client.on('close', () => fail('it has closed the connection; its log says why'));
    client.on('connect', () => {
      try {
        connected();
        client.write(frame(question));
      } catch (error) {
        client.destroy();
        reject(error as Error);
      }
    });
    client.on('data', (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      const text = answerIn(chunks, received);
      if (text === undefined) return;
      client.removeAllListeners('close').destroy();
      try {
        resolve(JSON.parse(text));
      } catch (error) {
        fail('what listens there is not an agent', error as Error);
      }
    });
  });
}

const WORDED: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'it has closed the connection; its log says why',
  EPIPE: 'it has closed the connection; its log says why',
  EACCES: 'permission denied',
  EAGAIN: 'too many others wait for it; try again',
};

/** @returns undefined as long as it is not complete; empty if it is not an answer */
function answerIn(chunks: Buffer[], received: number): string | undefined {
  if (received < HEAD_BYTES) return undefined;
  if (chunks[0]!.length < HEAD_BYTES) chunks.splice(0, chunks.length, Buffer.concat(chunks));
  const [head] = chunks;
  if (head!.readUInt16LE(4) !== ANSWER_TYPE) return '';
  const length = head!.readUInt32LE(0);
  return received < HEAD_BYTES + length
    ? undefined
    : Buffer.concat(chunks)
        .subarray(HEAD_BYTES, HEAD_BYTES + length)
        .toString();
}

function frame(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt16LE(ASK, 4);
  head.writeUInt16LE(agentVersion, 6);
  return Buffer.concat([head, body]);
}
