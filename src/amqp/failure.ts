import { redactUri } from '../options/uri.js';
import type { Endpoint } from './config.js';
import { type FailureRule, IS_OF_OTHER_TYPE } from './failure-rule.js';
import { TLS_RULES } from './tls-failure.js';

/** What went wrong with a link. The text says what failed, how, and what to do, and never holds a password. */
export interface Failure {
  /** Failures of one kind are logged once. */
  readonly kind: string;
  readonly text: string;
  /** The exchange does not exist. */
  readonly missingExchange: boolean;
  /** The broker's own name for this login, if the `user_id` that we sent was a different one. */
  readonly sender: string | undefined;
  /** Retries will not help until someone has acted. */
  readonly permanent: boolean;
  /** Retries may help without anyone acting, but not soon. */
  readonly slow: boolean;
}

/** Kind of failure for an exchange that is not a topic exchange: we must not publish to it. */
export const WRONG_TYPE = 'exchange type';

const RULES: readonly FailureRule[] = [
  { match: /ECONNREFUSED/, kind: 'refused', text: () => 'connection refused: is the broker running there?' },
  { match: /ENOTFOUND|EAI_AGAIN/, kind: 'name', text: () => 'the host name does not resolve' },
  {
    match: /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|no answer/,
    kind: 'silent',
    text: () => 'no answer: check host, port and firewall',
  },
  {
    match: /NOT_ALLOWED - (.*?connection limit.*?)(?:"|$)/s,
    kind: 'limit',
    text: (_, found) => `${found}: end other connections, or ask the broker's administrator to raise the limit`,
    slow: true,
  },
  {
    match: /NOT_ALLOWED - (.*?)(?:"|$)/s,
    kind: 'vhost',
    text: (_, found) => `${found}: check the vhost of --uri, or ask the broker's administrator`,
    permanent: true,
  },
  {
    match: /Login was refused using authentication mechanism EXTERNAL/,
    kind: 'login',
    text: () =>
      "the login by client certificate was refused: does the broker have a user with the certificate's name (ssl_cert_login_from)?",
    permanent: true,
  },
  {
    match: /SASL mechanism (\w+) is not provided/,
    kind: 'mechanism',
    text: (_, found) =>
      `the broker does not offer login by ${found}: EXTERNAL needs amqps:// and the broker's plugin rabbitmq_auth_mechanism_ssl`,
    permanent: true,
  },
  {
    match: /ACCESS_REFUSED - Login was refused|ACCESS-REFUSED.*Login/,
    kind: 'login',
    text: ({ user }) => `login of user "${user}" was refused: check user and password of --uri`,
    permanent: true,
  },
  {
    match: /ACCESS_REFUSED - (.*?)(?:"|$)/,
    kind: 'permission',
    text: ({ user }, found) =>
      `${found}: ask the broker's administrator for this permission of user "${user}" (docs/broker.md)`,
    permanent: true,
  },
  {
    match: /NOT_FOUND - no exchange '(amq\.[^']*)'/,
    kind: 'reserved exchange',
    text: (_, found) =>
      `exchange "${found}" does not exist, and only the broker can declare amq.* exchanges: check --exchange`,
    permanent: true,
  },
  {
    match: IS_OF_OTHER_TYPE,
    kind: WRONG_TYPE,
    text: (_, exchange, type) =>
      `exchange "${exchange}" is a ${type} exchange, but proc_box needs a topic exchange: name another one with --exchange`,
    permanent: true,
  },
  { match: /NOT_FOUND - no exchange/, kind: 'exchange', text: () => 'the exchange does not exist; declaring it' },
  {
    match: /user_id property set to '.*' but authenticated user was '(.*)'/,
    kind: 'sender',
    text: ({ sender }, found) =>
      `the broker calls the user "${sender}" of the URI "${found}": give that name in the URI`,
  },
  {
    match: /PRECONDITION_FAILED - (inequivalent .*?)(?:"|$)/,
    kind: 'precondition',
    text: (_, found) => `${found}: check --exchange and --rascal-config`,
    permanent: true,
  },
  {
    match: /PRECONDITION_FAILED - (.*?)(?:"|$)/,
    kind: 'precondition',
    text: (_, found) => `${found}: check --exchange and --rascal-config`,
    slow: true,
  },
  ...TLS_RULES,
  {
    match: /during opening handshake/,
    kind: 'handshake',
    text: () => 'the connection was closed during the handshake: if the port expects TLS, give amqps:// in --uri',
  },
  { match: /ECONNRESET|Unexpected close|closed abruptly|EPIPE/, kind: 'lost', text: () => 'the connection was lost' },
  { match: /exchange was deleted/, kind: 'deleted', text: () => 'the exchange was deleted: binding the queue again' },
  { match: /channel (?:was )?closed/i, kind: 'channel', text: () => 'the broker closed the channel' },
  { match: /was cancelled by the broker/, kind: 'cancelled', text: () => 'the broker removed the queue' },
  { match: /Heartbeat timeout/, kind: 'heartbeat', text: () => 'the broker sent no heartbeat in time' },
];

const TEXT_MAX_CHARACTERS = 300;

export function describe(error: unknown, endpoint: Endpoint): Failure {
  const raw = rawText(error);
  const rule = RULES.find(({ match }) => match.test(raw));
  const found = rule === undefined ? null : rule.match.exec(raw);
  const what = rule === undefined ? raw : rule.text(endpoint, found?.[1] ?? raw, found?.[2] ?? '');
  return {
    kind: rule?.kind ?? what.slice(0, 60),
    text: redact(`broker ${endpoint.shown}: ${what}`, endpoint).slice(0, TEXT_MAX_CHARACTERS),
    missingExchange: rule?.kind === 'exchange',
    sender: rule?.kind === 'sender' ? found?.[1] : undefined,
    permanent: rule?.permanent ?? false,
    slow: rule?.slow ?? false,
  };
}

/** @param reason the broker's words in `connection.blocked`, such as `low on memory` */
export function alarmText(reason: unknown): string {
  return `it takes no messages now: memory or disk alarm (${redactUri(String(reason)).slice(0, 80)}); ask its administrator`;
}

/** Masks the password, both as it is and percent-encoded, and everything that looks like a password in a URI. */
export function redact(text: string, { password }: Endpoint): string {
  let result = redactUri(text);
  if (password === '' || password === 'guest') return result;
  for (const form of new Set([password, encodeURIComponent(password), encodeURI(password)])) {
    result = result.replaceAll(form, '***');
  }
  return result;
}

function rawText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  // rascal puts "Failed to connect to: <url>. Original message was:" in front of the broker's words.
  const message = error.message.replace(/^Failed to connect to: \S+ Original message was: ?/, '');
  return typeof code === 'string' && !message.includes(code) ? `${code} ${message}` : message;
}
