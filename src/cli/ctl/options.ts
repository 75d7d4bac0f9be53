import { userName } from 'cgroup-utils-native';
import { toCommand } from '../../amqp/command.js';
import { SpecError } from '../../errors.js';
import { assembleSpec } from '../../options/assemble.js';
import { type Files, readSecret } from '../../options/files.js';
import { parseInterval } from '../../options/intervals.js';
import { naming } from '../../options/resolve.js';
import type { BoxSpec } from '../../options/spec.js';
import type { OptionName } from '../../options/table.js';
import { parseCount, parseDuration } from '../../options/units.js';
import { redactUri } from '../../options/uri.js';
import { isOptionOf, isSet, readVerb, type Verb, type VerbOption, type VerbWords } from '../../options/verb-words.js';
import { quote } from '../../options/words.js';
import type { YamlLoader } from '../../options/yaml-document.js';
import { type CtlCommand, parseSignKey, type SignKey } from '../sign.js';
import { addressesOf } from './address.js';

/** Parses the words after `proc_box ctl`: the address, the command, and how long to wait for answers. */

export interface CtlInput {
  /** The command line as the user typed it: argv[0], the verb, and what follows. */
  readonly argv: readonly string[];
  /** Every `PBOX_*` entry of the environment, `NAME=value`. */
  readonly settings: readonly string[];
  /** `--debug`: an error that nobody foresaw is told with its place. */
  readonly debug: boolean;
  readonly files: Files;
  readonly loadYaml: YamlLoader;
}

export interface CtlRequest {
  /** They hold passwords, so never log them. Empty with `--uri none`. */
  readonly uris: readonly string[];
  /** TLS and other socket options, of `--tls-*` and `--rascal-config`. */
  readonly socketOptions: Readonly<Record<string, unknown>>;
  readonly exchange: string;
  /** Exchange for answers; empty for direct reply-to. */
  readonly replyExchange: string;
  readonly routingKey: string;
  readonly command: CtlCommand;
  /** Signs the command; undefined sends it as it is. */
  readonly signKey: SignKey | undefined;
  /** Id of the message; undefined for a new one. */
  readonly messageId: string | undefined;
  readonly waitMs: number;
  /** Number of answers after which to stop waiting; undefined to wait the whole time. */
  readonly answers: number | undefined;
  /** Time after which to send the message again; undefined to send it once. */
  readonly resendMs: number | undefined;
  readonly json: boolean;
}

export type CtlParsed =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'send';
      /** The same command, to alternative addresses; the first one that the broker lets us publish to is used. */
      readonly requests: readonly CtlRequest[];
      readonly warnings: readonly string[];
    };

export const OWN_OPTIONS = {
  job: { placeholder: 'id', help: 'the boxes of a job: 1234, or 1234_7 for array task 7' },
  host: { placeholder: 'name', help: 'the boxes of a host' },
  user: { placeholder: 'name', help: 'the boxes of a user' },
  box: { placeholder: 'id', help: 'one box' },
  cluster: { placeholder: 'name', help: 'of these, only the boxes of a cluster, where several share a broker' },
  node: { placeholder: 'name', help: "of these, only the boxes of the scheduler's node" },
  step: { placeholder: 'id', help: 'of these, only the boxes of a step' },
  task: { placeholder: 'id', help: 'of these, only the boxes of a task (rank)' },
  all: { help: 'every box that has the routing key' },
  wait: {
    placeholder: 'duration',
    default: '3s',
    help: 'how long to wait for answers; with 0, send the command and ask for no answer',
  },
  answers: { placeholder: 'number', help: 'stop waiting after this many answers; with --box the default is 1' },
  resend: {
    placeholder: 'duration',
    help: 'send the command again, under the same message id, whenever this time passes without enough answers',
  },
  'sign-key': {
    placeholder: 'path',
    help: 'sign the command with this private key, for boxes with --control-auth signed; proc_box ctl keygen makes one',
  },
  id: {
    placeholder: 'text',
    help: 'message id; a box that has already carried out the command with this id only answers it again',
  },
  json: { help: 'print the answers as they came, one per line' },
  help: { help: 'print this text' },
} as const satisfies Readonly<Record<string, VerbOption & { readonly help: string }>>;

/** Options of a box that also set the broker of `proc_box ctl`. */
export const BOX_OPTIONS = [
  'uri',
  'uri-file',
  'exchange',
  'reply-exchange',
  'rkey',
  'multiRmtKey',
  'config',
  'tls-ca',
  'tls-cert',
  'tls-key',
  'rascal-config',
] as const satisfies readonly OptionName[];

type OwnName = keyof typeof OWN_OPTIONS;
export type CtlWords = VerbWords<OwnName>;

export const CTL: Verb<OwnName> = {
  name: 'proc_box ctl',
  own: OWN_OPTIONS,
  ofBox: BOX_OPTIONS,
  ends: 'at the first word',
  // address.ts has a clearer message for an empty address.
  takesEmpty: true,
};

/** @throws SpecError for errors that the user must correct; exit status 125 */
export function parseCtl(input: CtlInput): CtlParsed {
  const words = readVerb(input.argv.slice(2), CTL);
  if (isSet(words, 'help')) return { kind: 'help' };
  const [name, ...args] = words.rest;
  if (name === undefined) throw new SpecError(noCommand(words.own));
  const late = args.findIndex((word) => isOptionOf(CTL, word));
  if (late >= 0) throw new SpecError(optionsFirst(input.argv, words.rest, late + 1));
  return { kind: 'send', ...requestsFor(input, words, name, args) };
}

/** Makes a request with the command for each alternative address. @throws SpecError */
export function requestsFor(
  input: CtlInput,
  words: Pick<CtlWords, 'own' | 'forBox'>,
  name: string,
  args: readonly string[] = [],
): Omit<Extract<CtlParsed, { kind: 'send' }>, 'kind'> {
  const { own, forBox } = words;
  const checked = toCommand({ kind: 'request', name, args });
  if ('kind' in checked) throw new SpecError(checked.answer.error.message);

  const { spec, warnings } = assembleSpec({
    ...input,
    words: forBox,
    command: ['ctl'],
    locks: 'ignored',
    deadline: { scheduler: 'none', remainingMs: null },
  });
  const addresses = addressesOf(own, isSet(words, 'all'), spec.routingKeys, userName);
  const keyFile = own.get('sign-key');
  const signKey =
    keyFile === undefined
      ? undefined
      : parseSignKey(readSecret(input.files, keyFile, '--sign-key'), `--sign-key: ${keyFile}`);
  const common = {
    uris: spec.uris,
    socketOptions: socketOptionsOf(spec),
    exchange: spec.exchange,
    replyExchange: spec.replyExchange,
    signKey,
    messageId: own.get('id'),
    waitMs: value(own, 'wait', parseDuration) ?? 0,
    answers: value(own, 'answers', (text) => parseCount(text, 1, 1_000_000)) ?? (own.has('box') ? 1 : undefined),
    resendMs: value(own, 'resend', parseInterval),
    json: isSet(words, 'json'),
  };
  const requests = addresses.map(({ routingKey, target, all }) => {
    // A signed command must name its boxes itself, since anybody could publish it again with another routing key.
    const named = signKey === undefined ? target : all;
    const command = { command: name, ...(args.length > 0 && { arguments: args }), ...(named && { target: named }) };
    return { ...common, routingKey, command };
  });
  return { requests, warnings };
}

type Own = CtlWords['own'];

function isCommand(word: string): boolean {
  const checked = toCommand({ kind: 'request', name: word, args: [] });
  return !('kind' in checked) || checked.answer.error.code !== 'unknown_command';
}

/** Recognizes `ctl --job status`, where the command was taken for the value of the option. */
function noCommand(own: Own): string {
  const swallowed = [...own].find(([, text]) => isCommand(text));
  if (swallowed === undefined) return 'no command given; "proc_box ctl --help" lists them';
  const [name, text] = swallowed;
  const placeholder = (OWN_OPTIONS[name] as VerbOption).placeholder ?? 'value';
  return `no command given: --${name} took ${quote(text)} as its value; did you mean "proc_box ctl --${name} <${placeholder}> ${text}"?`;
}

/** For `ctl status --job 42`. @param late index of the first option in `words`, which begin with the command */
function optionsFirst(argv: readonly string[], words: readonly string[], late: number): string {
  const before = argv.slice(2, argv.length - words.length);
  const meant = ['proc_box ctl', ...before, ...words.slice(late), ...words.slice(0, late)].join(' ');
  return `options come before the command; did you mean "${redactUri(meant)}"?`;
}

/** TLS and other socket options, of `--tls-*` and `--rascal-config`. */
export function socketOptionsOf({ rascalConfig }: BoxSpec): Readonly<Record<string, unknown>> {
  return rascalConfig?.connection?.socketOptions ?? {};
}

function value<V>(own: Own, name: OwnName, parse: (text: string) => V): V | undefined {
  const { default: fallback }: VerbOption = OWN_OPTIONS[name];
  const text = own.get(name) ?? fallback;
  return text === undefined ? undefined : naming(`--${name}`, () => parse(text));
}
