import { isIP } from 'node:net';
import { SpecError } from '../../errors.js';
import { assembleSpec, type SpecInput } from '../../options/assemble.js';
import { readSecret } from '../../options/files.js';
import { naming } from '../../options/resolve.js';
import type { BoxSpec } from '../../options/spec.js';
import type { OptionName } from '../../options/table.js';
import { parseCount, parseDuration, parseSize } from '../../options/units.js';
import { isSet, readVerb, type Verb, type VerbWords } from '../../options/verb-words.js';
import { quote } from '../../options/words.js';
import { OWN, type OwnName } from './option-table.js';

/** The words of `proc_box collector`. */

export type ListenAt =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export const AUTH_MODES = ['token', 'proxy', 'none', 'socket'] as const;
export type AuthMode = (typeof AUTH_MODES)[number];

export interface AuthOptions {
  readonly mode: AuthMode;
  /** `<user> <token>` lines of `--token-file`; null: one token, which the collector makes. */
  readonly tokens: ReadonlyMap<string, string> | null;
  /** Lower case. */
  readonly proxyHeader: string;
  /** Addresses, and names of users (`user:nginx`) on a Unix socket, from which the header counts. */
  readonly proxyFrom: readonly string[];
  readonly operators: ReadonlySet<string>;
}

export interface AlertOptions {
  readonly memoryPercent: number;
  readonly cpuPercent: number;
  readonly cpuWindowMs: number;
  readonly timePercent: number;
  readonly webhook: string | undefined;
  readonly mailTo: readonly string[];
  /** Mails go to the owner of the job as well. */
  readonly mailUsers: boolean;
  readonly sendmail: string;
  /** Routing key prefix of alerts as messages. */
  readonly key: string | undefined;
}

export interface CollectorOptions {
  /** A folder, or the URI of a PostgreSQL database, which may hold a password. */
  readonly store: string;
  readonly listen: ListenAt | null;
  readonly metricsListen: ListenAt | null;
  readonly auth: AuthOptions;
  readonly queue: string;
  readonly queueMaxBytes: number;
  readonly prefetch: number;
  readonly keepLiveMs: number;
  readonly keepFullMs: number;
  readonly keepThinMs: number;
  readonly resolutionMs: number;
  readonly topCount: number;
  readonly alerts: AlertOptions;
  readonly otlp: string | undefined;
  /** Path of the key that signs commands. */
  readonly signKey: string | undefined;
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
}

const OF_BROKER: readonly OptionName[] = [
  'uri',
  'uri-file',
  'exchange',
  'reply-exchange',
  'rkey',
  'multiRmtKey',
  'skey',
  'ekey',
  'tls-ca',
  'tls-cert',
  'tls-key',
  'rascal-config',
  'config',
  'debug',
  'nowarn',
];

const COLLECTOR: Verb<OwnName> = { name: 'proc_box collector', own: OWN, ofBox: OF_BROKER, ends: 'with the words' };

/** @returns null for `--help`. @throws SpecError */
export function parseCollector(
  argv: readonly string[],
  input: Omit<SpecInput, 'words' | 'command' | 'deadline'>,
  environment: Readonly<Record<string, string | undefined>>,
): CollectorOptions | null {
  const words = readVerb(argv.slice(2), COLLECTOR);
  if (isSet(words, 'help')) return null;
  if (words.rest[0] !== undefined)
    throw new SpecError(`${quote(words.rest[0])} is not an option; "proc_box collector --help" lists them`);
  const { spec, warnings } = assembleSpec({
    ...input,
    words: words.forBox,
    command: ['collector'],
    locks: 'ignored',
    deadline: { scheduler: 'none', remainingMs: null },
  });
  if (spec.uris.length === 0)
    throw new SpecError(
      'the collector reads messages from a broker, but --uri is "none", or its file is missing: give the URI',
    );
  const read = reader(words);
  const listen = read('listen', parseListen);
  const options = {
    store: storeOf(words, input, environment),
    listen,
    metricsListen: words.own.has('metrics-listen') ? read('metrics-listen', parseListen) : null,
    auth: authOf(words, input, listen),
    queue: read('queue', String),
    queueMaxBytes: read('queue-bytes', parseSize),
    prefetch: read('prefetch', (text) => parseCount(text, 1, 65_535)),
    keepLiveMs: read('keep-live', parseDuration),
    keepFullMs: read('keep-full', parseDuration),
    keepThinMs: read('keep-thin', parseDuration),
    resolutionMs: read('resolution', parseDuration),
    topCount: read('top', (text) => parseCount(text, 0, 1_000)),
    alerts: alertsOf(words),
    otlp: read('otlp', parseHttp),
    signKey: words.own.get('sign-key'),
    spec,
    warnings,
  };
  if (options.keepThinMs < options.keepFullMs)
    throw new SpecError(
      '--keep-thin is shorter than --keep-full: thinned time lines must be kept at least as long as full ones',
    );
  return options;
}

type Words = VerbWords<OwnName>;

function reader({ own }: Words) {
  return <V>(name: OwnName, parse: (text: string) => V): V => {
    const text = own.get(name) ?? ('default' in OWN[name] ? (OWN[name] as { default: string }).default : undefined);
    return text === undefined ? (undefined as V) : naming(`--${name}`, () => parse(text));
  };
}

function storeOf(
  { own }: Words,
  { files }: Pick<SpecInput, 'files'>,
  { HOME = '' }: Readonly<Record<string, string | undefined>>,
): string {
  const file = own.get('store-uri-file');
  if (file !== undefined && own.has('store'))
    throw new SpecError('--store and --store-uri-file are both given: give one of them');
  const store =
    file === undefined
      ? (own.get('store') ?? '~/.local/state/proc_box/collector')
      : readSecret(files, file, '--store-uri-file').trim();
  if (file !== undefined && !isPostgres(store))
    throw new SpecError(`--store-uri-file: ${file} does not begin with postgres://`);
  if (!store.startsWith('~/')) return store;
  if (HOME === '') throw new SpecError('--store: HOME is not set: give the folder');
  return HOME + store.slice(1);
}

export function isPostgres(store: string): boolean {
  return /^postgres(ql)?:\/\//.test(store);
}

/** @returns null for `none`. @throws SpecError */
export function parseListen(text: string): ListenAt | null {
  if (text === 'none') return null;
  const path = /^(?:unix:)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    throw new SpecError(
      `${quote(text)} is not an address: expected host:port, for example "127.0.0.1:8480", the path of a socket, or "none"`,
    );
  }
  if (bracketed !== undefined && isIP(bracketed) !== 6)
    throw new SpecError(`${quote(text)}: ${quote(bracketed)} is not an IPv6 address`);
  return { kind: 'tcp', host: host === '' ? '0.0.0.0' : host, port: Number(port) };
}

function authOf(words: Words, { files }: Pick<SpecInput, 'files'>, listen: ListenAt | null): AuthOptions {
  const { own } = words;
  const asked = own.get('auth') ?? (listen?.kind === 'unix' ? 'socket' : 'token');
  const mode = AUTH_MODES.find((name) => name === asked);
  if (mode === undefined) throw new SpecError(`--auth: ${quote(asked)} is not one of ${AUTH_MODES.join(', ')}`);
  if (mode === 'socket' && listen?.kind === 'tcp')
    throw new SpecError('--auth socket: only a Unix socket identifies who connects: give its path in --listen');
  if (mode === 'none' && listen?.kind === 'tcp' && !isLoopback(listen.host))
    throw new SpecError(
      `--auth none shows all jobs to everybody: it needs a loopback address in --listen, not ${quote(listen.host)}`,
    );
  const proxyFrom = list(own.get('proxy-from') ?? '127.0.0.1,::1');
  const tokenFile = own.get('token-file');
  return {
    mode,
    tokens: tokenFile === undefined ? null : parseTokens(readSecret(files, tokenFile, '--token-file'), tokenFile),
    proxyHeader: (own.get('proxy-header') ?? 'X-Remote-User').toLowerCase(),
    proxyFrom,
    operators: new Set(list(own.get('operators') ?? 'root')),
  };
}

const TOKEN_MIN = 16;

/** Lines of `<user> <token>`; `#` begins a comment. @throws SpecError that repeats no token */
export function parseTokens(text: string, path: string): ReadonlyMap<string, string> {
  const tokens = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, user, token] = /^(\S+)\s+(\S+)\s*$/.exec(line) ?? [];
    if (user === undefined || token === undefined)
      throw new SpecError(`--token-file: ${path}:${index + 1} is not "<user> <token>"`);
    if (token.length < TOKEN_MIN)
      throw new SpecError(
        `--token-file: ${path}:${index + 1}: the token is too short: make one with "openssl rand -hex 24"`,
      );
    tokens.set(token, user);
  }
  if (tokens.size === 0) throw new SpecError(`--token-file: ${path} has no token: write lines of "<user> <token>"`);
  return tokens;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function alertsOf(words: Words): AlertOptions {
  const read = reader(words);
  const percent = (text: string) => parseCount(text, 0, 100);
  return {
    memoryPercent: read('alert-memory', percent),
    cpuPercent: read('alert-cpu', percent),
    cpuWindowMs: read('alert-cpu-window', parseDuration),
    timePercent: read('alert-time', percent),
    webhook: read('webhook', parseHttp),
    mailTo: list(words.own.get('mail-to') ?? ''),
    mailUsers: isSet(words, 'mail-users'),
    sendmail: read('sendmail', String),
    key: words.own.get('alert-key'),
  };
}

/** @throws SpecError */
function parseHttp(text: string): string {
  if (!/^https?:\/\/\S+$/.test(text) || !URL.canParse(text))
    throw new SpecError(`${quote(text)} is not an http:// or https:// address`);
  return text;
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}
