import { createServer, type Socket } from 'node:net';
import { peerOf, userName } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import type { Logger } from '../log.js';
import { type AdoptRequest, createRequestReader } from './request.js';

/** Answers a client. @param status its exit status. @param text for its stderr */
export type AdoptAnswer = (status: number, text: string) => void;

/** Handles a request. @returns false if it gives no answer; the client then makes the box itself */
export type TakeRequest = (request: AdoptRequest, answer: AdoptAnswer) => boolean;

/** How long a client may take to send its request, and to take a refusal. */
const REQUEST_MS = 5_000;
const CONNECTIONS_MAX = 256;

/**
 * Takes requests of this user and of root from a listening socket. Each connection carries one request and its answer.
 * Anything else is refused, without an effect on other clients.
 * @returns stops it; clients that have not sent a whole request get no answer
 */
export function receive(fd: number, log: Logger, ask: TakeRequest): () => void {
  const waiting = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    waiting.add(client);
    client.on('close', () => waiting.delete(client));
    attend(client, log, (request, answer) => {
      waiting.delete(client);
      return ask(request, answer);
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('error', (error) => log.error(`the socket: ${error.message}`));
  server.listen({ fd });
  return () => {
    server.close();
    for (const client of waiting) client.destroy();
  };
}

function attend(client: Socket, log: Logger, ask: TakeRequest): void {
  const read = createRequestReader();
  const answer: AdoptAnswer = (status, text) => {
    client.end(Buffer.concat([Buffer.from([status]), Buffer.from(text)]));
  };
  const refuse = (why: string) => {
    clearTimeout(late);
    client.removeAllListeners('data').resume();
    log.warn(`a request was refused: ${why}`);
    answer(125, `proc_box: error: ${why}\n`);
    // In case the client does not read the answer, or goes on sending.
    setTimeout(() => client.destroy(), REQUEST_MS).unref();
  };
  const late = setTimeout(() => refuse(`no whole request within ${REQUEST_MS / 1000} s`), REQUEST_MS);
  client.on('error', (error) => log.debug(`a request: ${error.message}`));
  client.on('close', () => clearTimeout(late));
  let caller = 0;
  try {
    caller = callerOf(client);
  } catch (error) {
    return refuse((error as Error).message);
  }
  let whole = false;
  client.on('end', () => {
    if (!whole) client.destroy();
  });
  client.on('data', (chunk) => {
    try {
      const request = read(chunk);
      if (request === undefined) return;
      whole = true;
      clearTimeout(late);
      if (!ask({ ...request, pid: caller }, answer)) client.destroy();
    } catch (error) {
      refuse((error as Error).message);
    }
  });
}

/** @returns the client's pid. @throws EnvironmentError if the client may not ask */
function callerOf(client: Socket): number {
  // Node has no public way to get the descriptor.
  const { fd } = (client as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const { pid, uid } = peerOf(fd);
  const own = process.geteuid?.();
  if (uid !== own && uid !== 0)
    throw new EnvironmentError(
      `this supervisor makes boxes for ${userName(own)}, not for ${userName(uid)}: start one of your own (proc_box adopt --serve)`,
    );
  if (pid > 0) return pid;
  throw new EnvironmentError('the client is in another PID namespace: its --pid would name another process here');
}
