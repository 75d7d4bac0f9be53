import amqp from 'amqplib';
import { after } from '../delay.js';
import { BrokerError } from '../errors.js';
import { credentialsOf, type Endpoint, endpointOf } from './config.js';
import { describe } from './failure.js';
import './handshake.js';

/** Connections of the tools to the broker: one login, without retries. */

export interface Brokers {
  /** They hold passwords, so never log them. */
  readonly uris: readonly string[];
  /** TLS and other socket options, of `--tls-*` and `--rascal-config`. */
  readonly socketOptions: Readonly<Record<string, unknown>>;
}

/** Longest time for one login. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** Longest time for all the logins of `proc_box check`. */
const CHECK_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 500;

/**
 * Logs in to the first broker that lets us in. Each gets an equal part of the time that is left.
 * @param name of the connection on the broker's management pages. @default `proc_box ctl`
 * @throws BrokerError with the reason of each failure
 */
export async function connectFirst(
  { uris, socketOptions }: Brokers,
  mostMs: number,
  name = 'proc_box ctl',
): Promise<{ endpoint: Endpoint; connection: amqp.ChannelModel }> {
  const failures: string[] = [];
  const deadline = performance.now() + mostMs;
  for (const [index, uri] of uris.entries()) {
    const endpoint = endpointOf(uri);
    const leftMs = (deadline - performance.now()) / (uris.length - index);
    try {
      return {
        endpoint,
        connection: await connect(endpoint, socketOptions, Math.max(1, Math.min(CONNECT_TIMEOUT_MS, leftMs)), name),
      };
    } catch (error) {
      failures.push(describe(error, endpoint).text);
    }
  }
  throw new BrokerError(failures.join('; '));
}

/**
 * With a timeout of our own: amqplib's starts again with each byte, and does not cover the TLS handshake or the login.
 */
async function connect(
  endpoint: Endpoint,
  socketOptions: Brokers['socketOptions'],
  timeoutMs: number,
  name: string,
): Promise<amqp.ChannelModel> {
  const abort = new AbortController();
  const options = {
    timeout: timeoutMs,
    ...socketOptions,
    noDelay: true,
    credentials: credentialsOf(endpoint),
    clientProperties: { product: 'proc_box', connection_name: name },
    signal: abort.signal,
  };
  const connecting = amqp.connect(endpoint.uri, options);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`));
      abort.abort();
    }, timeoutMs);
  });
  connecting.catch(toldByTheRace);
  try {
    return await Promise.race([connecting, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Closes the connection. Ignores IllegalOperationError: the broker has already closed it, and `broken` has reported
 * that.
 */
export async function leave(connection: amqp.ChannelModel): Promise<void> {
  await Promise.race([connection.close().catch(toldByTheRace), sleep(CLOSE_TIMEOUT_MS)]);
}

/** Ignores a rejection that the other end of a `Promise.race` reports. */
export function toldByTheRace(): void {}

/** Logs in and out again. @returns address, product and version of the broker. @throws BrokerError */
export async function tryBroker(request: Brokers): Promise<string> {
  const { endpoint, connection } = await connectFirst(request, CHECK_TIMEOUT_MS);
  const { product, version } = connection.connection.serverProperties;
  connection.on('error', () => {});
  await leave(connection);
  return `${endpoint.shown}: ${product} ${version}`;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    after(ms, resolve);
  });
}
