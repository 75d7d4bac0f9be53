import { SpecError } from '../errors.js';

export { redactUri } from '../text.js';

/** Parses broker URIs. They hold passwords, so no message from here repeats any part of the text. */

/** The ports for URIs without a port. */
const PORTS: Readonly<Record<string, number>> = { amqp: 5672, amqps: 5671 };
/** The parameters of a URI that amqplib and rascal read. */
const PARAMETERS = ['heartbeat', 'frameMax', 'channelMax', 'connection_timeout', 'locale'];
/** The parameter for SASL mechanisms, with the same values as in RabbitMQ's own clients. */
const MECHANISM = /^auth_mechanism=(plain|external)$/i;
const EXAMPLE = 'for example "amqp://user:password@host:5672/vhost"';

/**
 * Parses comma-separated broker URIs: complete ones (`amqp://h1/v,amqps://h2/v`), one with several hosts
 * (`amqp://user:password@h1:5672,h2:5672/vhost`), or `none`.
 * @returns one URI per host, in the order given, with explicit port, percent-encoded user and password, and no path for the
 * default vhost; empty for `none`
 * @throws SpecError whose message contains nothing of the text
 */
export function parseUris(text: string): readonly string[] {
  const trimmed = text.trim();
  if (trimmed.toLowerCase() === 'none') return [];
  const parts = trimmed.split(/,\s*(?=amqps?:\/\/)/i);
  return parts.flatMap((part, index) =>
    parseOne(part, parts.length === 1 ? 'the URI' : `URI ${index + 1} of ${parts.length}`),
  );
}

function parseOne(text: string, which: string): string[] {
  const fail = (problem: string): never => {
    throw new SpecError(`${which} ${problem}: ${EXAMPLE}`);
  };
  const scheme = /^(amqps?):\/\//i.exec(text)?.[1]?.toLowerCase() ?? fail('does not begin with amqp:// or amqps://');
  const rest = text.slice(scheme.length + '://'.length);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\s\u0000-\u001f\u007f]/.test(rest)) fail('contains a space or a control character (write a space as %20)');
  if (rest.includes('#')) fail('contains # (write it as %23)');
  const end = /[/?]/.exec(rest)?.index ?? rest.length;
  const authority = rest.slice(0, end);
  const tail = rest.slice(end);
  if (tail.includes('@')) fail('has @ after / or ? (in user and password write / as %2F, ? as %3F, @ as %40)');

  const at = authority.lastIndexOf('@');
  const credentials = at < 0 ? '' : parseCredentials(authority.slice(0, at), fail);
  const hosts = authority
    .slice(at + 1)
    .split(',')
    .map((host) => parseHost(host, scheme, fail));
  const suffix = parseVhost(/^[^?]*/.exec(tail)![0], fail) + parseParameters(/\?.*$/.exec(tail)?.[0] ?? '', fail);
  return hosts.map((host) => `${scheme}://${credentials}${host}${suffix}`);
}

type Fail = (problem: string) => never;

function parseCredentials(text: string, fail: Fail): string {
  if (text.includes('@') && text.includes(','))
    fail('has both @ and , in user or password (write @ as %40, a comma as %2C)');
  const colon = text.indexOf(':');
  const user = encode(colon < 0 ? text : text.slice(0, colon), fail);
  if (user === '') fail('has @ but no user before it');
  return colon < 0 ? `${user}@` : `${user}:${encode(text.slice(colon + 1), fail, NUL)}@`;
}

/** The only character that a password must not contain: it would end it in the login. Logs and terminals never get passwords. */
const NUL = /\0/;

function encode(text: string, fail: Fail, forbidden = /\p{Cc}/u): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return fail('has a % that does not begin an escape of UTF-8 (write % as %25)');
  }
  if (forbidden.test(plain)) fail('has an escape of a control character, such as %00 or %0A');
  return encodeURIComponent(plain);
}

function parseHost(text: string, scheme: string, fail: Fail): string {
  const match = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return fail('has a host that is not <name>:<port> (write IPv6 addresses in brackets)');
  const port = match[2] === undefined ? PORTS[scheme]! : Number(match[2]);
  if (port < 1 || port > 65_535) fail('has a port that is not from 1 to 65535');
  return `${match[1]}:${port}`;
}

function parseVhost(path: string, fail: Fail): string {
  const vhost = path.slice(1);
  if (vhost === '') return '';
  if (vhost.includes(',')) fail('has a comma after the vhost (put all hosts before it, or write complete URIs)');
  if (vhost.includes('/')) fail('has more than one / after the host (write / in a vhost as %2F)');
  const encoded = encode(vhost, fail);
  if (encoded === '.' || encoded === '..')
    fail('has the vhost "." or "..", which a URI cannot contain because they are steps of a path');
  return `/${encoded}`;
}

function parseParameters(query: string, fail: Fail): string {
  for (const parameter of query.slice(1).split('&')) {
    const known = PARAMETERS.includes(/^[^=]*/.exec(parameter)![0]) && /^\w+=\w+$/.test(parameter);
    if (query !== '' && !known && !MECHANISM.test(parameter)) {
      fail(`has a parameter after ? that is not one of ${PARAMETERS.join(', ')}, auth_mechanism (plain or external)`);
    }
  }
  return query;
}
