import type { SiteConfig } from '../options/rascal-config.js';
import type { JobIdentity } from '../options/spec.js';
import { addressingKeys } from './keys.js';

/** BoxSpec -> configuration of one connection, and of the rascal broker object of control, without rascal's recovery. */

export type RascalConfig = Readonly<Record<string, unknown>>;

/** What one connection is made from. */
export interface Endpoint {
  /** `amqp://host:port/vhost`, without user and password. */
  readonly uri: string;
  /** Empty where the broker takes it from the client certificate. */
  readonly user: string;
  readonly password: string;
  readonly mechanism: 'PLAIN' | 'EXTERNAL';
  /** `user_id` of what we publish, which the broker compares with the login; empty where we do not know that name. */
  readonly sender: string;
  /** Name or address, for messages. */
  readonly host: string;
  /** `host:port/vhost`, for messages. */
  readonly shown: string;
}

export interface ConnectionRequest {
  readonly endpoint: Endpoint;
  /** What the broker's management pages show. */
  readonly connectionName: string;
  readonly timeoutMs: number;
  /** Ends the socket, whatever state the connection is in. */
  readonly signal: AbortSignal;
  readonly exchange: string;
  /** Declare the exchange, because it was found missing. */
  readonly declare: boolean;
  readonly site: SiteConfig;
}

export const VHOST = 'box';
const HEARTBEAT_SECONDS = 10;
const QUEUE_TTL_MS = 60_000;
/** A burst of an operator's script fits; a flood costs the broker this much at most. */
const QUEUE_MAX_LENGTH = 10_000;
const QUEUE_MAX_BYTES = 16 * 1024 * 1024;

/** One connection that only consumes: the broker does not block it in a memory or disk alarm. */
export function controlConfig(
  request: ConnectionRequest,
  routingKeys: readonly string[],
  identity: JobIdentity,
  queue: string,
): RascalConfig {
  const { exchange, site } = request;
  const bindingKeys = addressingKeys(routingKeys, identity);
  const options = {
    exclusive: true,
    durable: false,
    autoDelete: false,
    arguments: {
      'x-message-ttl': QUEUE_TTL_MS,
      'x-max-length': QUEUE_MAX_LENGTH,
      'x-max-length-bytes': QUEUE_MAX_BYTES,
      'x-overflow': 'drop-head',
      ...site.queue?.arguments,
    },
  };
  return base(request, {
    vhost: {
      queues: { [queue]: { options } },
      // rascal takes "no key" for "#", which would be every message of the exchange.
      bindings: bindingKeys.length === 0 ? {} : { commands: { source: exchange, destination: queue, bindingKeys } },
    },
    subscriptions: {
      commands: { vhost: VHOST, queue, contentType: 'application/octet-stream', prefetch: 1, retry: false },
    },
  });
}

/** What amqplib is given for a connection; rascal hands the same on to it. */
export function connectionOptions(request: ConnectionRequest) {
  const { endpoint, site } = request;
  return {
    options: { heartbeat: HEARTBEAT_SECONDS, ...site.connection?.options },
    socketOptions: {
      timeout: request.timeoutMs,
      noDelay: true,
      keepAlive: true,
      keepAliveDelay: 30_000,
      ...site.connection?.socketOptions,
      clientProperties: {
        product: 'proc_box',
        ...(site.connection?.socketOptions?.['clientProperties'] as object | undefined),
        connection_name: request.connectionName,
      },
      credentials: credentialsOf(endpoint),
      signal: request.signal,
    },
  };
}

/** `amq.*` is the broker's own: always there, and nobody may declare it. */
export function isPredeclared(exchange: string): boolean {
  return exchange.startsWith('amq.');
}

/** Types of those that are no topic exchanges. */
const PREDECLARED_TYPES: Readonly<Record<string, string>> = {
  'amq.direct': 'direct',
  'amq.fanout': 'fanout',
  'amq.headers': 'headers',
  'amq.match': 'headers',
};

/** @returns what the broker would say, if one might ask it to declare them */
export function predeclaredOfOtherType(exchange: string): Error | undefined {
  const type = PREDECLARED_TYPES[exchange];
  return type === undefined
    ? undefined
    : new Error(`inequivalent arg 'type' for exchange '${exchange}': received 'topic' but current is '${type}'`);
}

/** @throws TypeError where the text is no URI; `spec.uris` holds only such as parse */
export function endpointOf(text: string): Endpoint {
  const url = new URL(text);
  const shown = url.host + decodeURIComponent(url.pathname);
  const host = url.hostname;
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  // rascal and amqplib each take credentials in a URI apart in their own way, and rascal puts what it finds into error
  // texts; so they get the URI without, and the credentials as they go over the wire.
  url.username = '';
  url.password = '';
  const mechanism = url.searchParams.get('auth_mechanism')?.toUpperCase() === 'EXTERNAL' ? 'EXTERNAL' : 'PLAIN';
  url.searchParams.delete('auth_mechanism');
  if (mechanism === 'PLAIN' && user === '' && password === '') {
    return { uri: url.href, host, shown, user: 'guest', password: 'guest', mechanism, sender: 'guest' };
  }
  return { uri: url.href, host, shown, user, password, mechanism, sender: user };
}

function base(request: ConnectionRequest, own: { vhost: object; subscriptions: object }): RascalConfig {
  const { endpoint, site, exchange, declare } = request;
  const predeclared = isPredeclared(exchange);
  const pool = { min: 0, max: 1, evictionRunIntervalMillis: 0, acquireTimeoutMillis: 0 };
  return {
    defaults: {
      vhosts: { connection: { retry: false, management: { options: {} } } },
      subscriptions: { retry: false },
    },
    vhosts: {
      [VHOST]: {
        connection: { url: forRascal(endpoint), ...connectionOptions(request) },
        publicationChannelPools: { regularPool: pool, confirmPool: pool },
        exchanges: {
          [exchange]: {
            type: 'topic',
            assert: !predeclared && declare,
            check: !predeclared && !declare,
            options: { durable: true, ...site.exchange?.options },
          },
        },
        ...own.vhost,
      },
    },
    subscriptions: own.subscriptions,
  };
}

/** rascal decodes the vhost and writes a new URI with what comes out, which amqplib decodes again: so it is encoded twice. */
function forRascal({ uri }: Endpoint): string {
  const url = new URL(uri);
  url.pathname = url.pathname.replaceAll('%', '%25');
  return url.href;
}

/** SASL PLAIN (RFC 4616), or EXTERNAL (RFC 4422): the client certificate says who it is. */
export function credentialsOf({ user, password, mechanism }: Endpoint) {
  const response = mechanism === 'EXTERNAL' ? '' : `\0${user}\0${password}`;
  return { mechanism, username: user, password, response: () => Buffer.from(response) };
}
