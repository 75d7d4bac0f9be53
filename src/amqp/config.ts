import type { SiteConfig } from '../options/rascal-config.js';
import type { JobIdentity } from '../options/spec.js';
import { addressingKeys } from './keys.js';

/**
 * Turns parts of a BoxSpec into the configuration of one connection, and into that of rascal's broker object for the
 * control connection. rascal's own recovery is off: link.ts reconnects.
 */

export type RascalConfig = Readonly<Record<string, unknown>>;

/** Where one connection goes, and as whom it logs in. */
export interface Endpoint {
  /** `amqp://host:port/vhost`, without user and password. */
  readonly uri: string;
  /** Empty if the broker takes the user from the client certificate. */
  readonly user: string;
  readonly password: string;
  readonly mechanism: 'PLAIN' | 'EXTERNAL';
  /** `user_id` of our messages, which the broker compares with the login; empty if we do not know that name. */
  readonly sender: string;
  /** Host name or address, for log messages. */
  readonly host: string;
  /** `host:port/vhost`, for log messages. */
  readonly shown: string;
}

export interface ConnectionRequest {
  readonly endpoint: Endpoint;
  /** Name of the connection on the broker's management pages. */
  readonly connectionName: string;
  readonly timeoutMs: number;
  /** When aborted, destroys the socket, whatever state the connection is in. */
  readonly signal: AbortSignal;
  readonly exchange: string;
  /** Declare the exchange, because an earlier attempt found it missing. */
  readonly declare: boolean;
  readonly site: SiteConfig;
  /** @default 10 */
  readonly heartbeatSec?: number;
}

export const VHOST = 'box';
const HEARTBEAT_SECONDS = 10;
/** A message may wait for a link that is being replaced, and no longer. */
const QUEUE_TTL_MS = 60_000;
/** Large enough for a burst from an operator's script; a flood of messages costs the broker no more than this. */
const QUEUE_MAX = { messages: 10_000, bytes: 16 * 1024 * 1024 };

/** A queue for commands. It goes with its connection, and drops the oldest commands beyond `max`. */
export function controlQueueOptions(site: SiteConfig, max: typeof QUEUE_MAX) {
  return {
    exclusive: true,
    durable: false,
    autoDelete: false,
    arguments: {
      'x-message-ttl': QUEUE_TTL_MS,
      'x-max-length': max.messages,
      'x-max-length-bytes': max.bytes,
      'x-overflow': 'drop-head',
      ...site.queue?.arguments,
    },
  };
}

/** A connection that only consumes, so that the broker does not block it in a memory or disk alarm. */
export function controlConfig(
  request: ConnectionRequest,
  routingKeys: readonly string[],
  identity: JobIdentity,
  queue: string,
): RascalConfig {
  const { exchange, site } = request;
  const bindingKeys = addressingKeys(routingKeys, identity);
  const options = controlQueueOptions(site, QUEUE_MAX);
  return base(request, {
    vhost: {
      queues: { [queue]: { options } },
      // rascal treats an empty list of keys as "#", which matches every message of the exchange.
      bindings: bindingKeys.length === 0 ? {} : { commands: { source: exchange, destination: queue, bindingKeys } },
    },
    subscriptions: {
      commands: { vhost: VHOST, queue, contentType: 'application/octet-stream', prefetch: 1, retry: false },
    },
  });
}

/** Options for amqplib's connect; rascal passes the same ones on to it. */
export function connectionOptions(request: ConnectionRequest) {
  const { endpoint, site } = request;
  return {
    options: { heartbeat: request.heartbeatSec ?? HEARTBEAT_SECONDS, ...site.connection?.options },
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

/** The broker itself declares the exchanges `amq.*`: they always exist, and clients may not declare them. */
export function isPredeclared(exchange: string): boolean {
  return exchange.startsWith('amq.');
}

/** Types of the predeclared exchanges that are not topic exchanges. */
const PREDECLARED_TYPES: Readonly<Record<string, string>> = {
  'amq.direct': 'direct',
  'amq.fanout': 'fanout',
  'amq.headers': 'headers',
  'amq.match': 'headers',
};

/**
 * @returns the error that the broker would give if clients could declare `amq.*` exchanges; undefined for a topic one
 */
export function predeclaredOfOtherType(exchange: string): Error | undefined {
  const type = PREDECLARED_TYPES[exchange];
  return type === undefined
    ? undefined
    : new Error(`inequivalent arg 'type' for exchange '${exchange}': received 'topic' but current is '${type}'`);
}

/** @throws TypeError if the text is not a URI; everything in `spec.uris` is one */
export function endpointOf(text: string): Endpoint {
  const url = new URL(text);
  const shown = url.host + decodeURIComponent(url.pathname);
  const host = url.hostname;
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  // rascal and amqplib parse credentials in a URI differently, and rascal repeats them in error messages. So they get a
  // URI without credentials, and the credentials separately as they go over the wire.
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

/**
 * rascal decodes the vhost and writes it into a new URI, which amqplib decodes again. So the vhost is encoded twice.
 */
function forRascal({ uri }: Endpoint): string {
  const url = new URL(uri);
  url.pathname = url.pathname.replaceAll('%', '%25');
  return url.href;
}

/** SASL PLAIN (RFC 4616), or EXTERNAL (RFC 4422), for which the client certificate identifies the user. */
export function credentialsOf({ user, password, mechanism }: Endpoint) {
  const response = mechanism === 'EXTERNAL' ? '' : `\0${user}\0${password}`;
  return { mechanism, username: user, password, response: () => Buffer.from(response) };
}
