import { DEFAULT_RULES, parseControlAuth, parseControlRules } from './control.js';
import { parseCpuList, parseCpus, parseIoMax, parseMemory, parseSwap } from './resources.js';
import { parseRlimits } from './rlimits.js';
import { parseSignal } from './signals.js';
import { parseTimeout } from './time-limit.js';
import { parseBoolean, parseCount, parseDuration, parseSize } from './units.js';
import { parseUris } from './uri.js';
import {
  parseByteLimit,
  parseCgroupMode,
  parseEnforce,
  parseFailure,
  parseJsonObject,
  parseKey,
  parsePath,
  parsePids,
  parseSampleInterval,
  parseTimeLimit,
} from './values.js';

/**
 * The options table: parsing, `--help`, the `PBOX_*` names, the keys of the config file and docs/options.md come from
 * it. A new option is one row here and, where the box needs it, one field in assemble.ts.
 */
export interface Option<V = unknown> {
  readonly group: Group;
  /** What kind of text it takes; `boolean` options take none, or `=false`. */
  readonly type: ValueType;
  /** Name of the value in `--help`. */
  readonly placeholder?: string;
  /** As a user would type it; empty means not set. */
  readonly default: string;
  readonly help: string;
  /** @throws SpecError that says what is expected, with an example */
  readonly parse: (text: string) => V;
  /** May be given several times; every occurrence and every source counts. */
  readonly repeatable?: true;
  /** Where it may be given. @default everywhere */
  readonly only?: 'command line' | 'not in a file';
  /** Shapes that the config file takes beside a scalar: a list of texts, a map of name to text, JSON's object or list of them. */
  readonly shapes?: readonly ('list' | 'map' | 'object' | 'objects')[];
}

export type ValueType =
  | 'boolean'
  | 'count'
  | 'duration'
  | 'JSON'
  | 'limit'
  | 'path'
  | 'signal'
  | 'size'
  | 'text'
  | 'URI';

export const GROUPS = ['Broker', 'Messages', 'Control', 'Statistics', 'Limits', 'Job', 'Program'] as const;
export type Group = (typeof GROUPS)[number];

export const OPTIONS = {
  uri: {
    group: 'Broker',
    type: 'URI',
    placeholder: 'uris',
    default: 'amqp://guest:guest@localhost:5672',
    help: 'broker; several comma-separated hosts fail over; none runs without one',
    parse: parseUris,
    shapes: ['list'],
  },
  'uri-file': {
    group: 'Broker',
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'file with the URI, so that its password shows nowhere; mode 0600, owned by the user or root',
    parse: parsePath,
  },
  'tls-ca': {
    group: 'Broker',
    type: 'path',
    placeholder: 'path',
    default: '',
    help: "for amqps: PEM file of the authority that has signed the broker's certificate; without it those that Node knows",
    parse: parsePath,
  },
  'tls-cert': {
    group: 'Broker',
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'for amqps: PEM file of our own certificate, with ?auth_mechanism=external in the URI also for the login',
    parse: parsePath,
  },
  'tls-key': {
    group: 'Broker',
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'PEM file of the private key of --tls-cert; mode 0600, owned by the user or root',
    parse: parsePath,
  },
  'rascal-config': {
    group: 'Broker',
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'YAML or JSON file with settings of rascal that are merged in',
    parse: parsePath,
  },
  msgtimeout: {
    group: 'Broker',
    type: 'duration',
    placeholder: 'duration',
    default: '30s',
    help: 'time for one message to be sent; 0 never gives up',
    parse: parseDuration,
  },
  flush: {
    group: 'Broker',
    type: 'duration',
    placeholder: 'duration',
    default: '3s',
    help: 'at most this long for the broker at the end of the job',
    parse: parseDuration,
  },
  'outbox-messages': {
    group: 'Broker',
    type: 'count',
    placeholder: 'number',
    default: '100000',
    help: 'messages in memory while the broker is away; with --spool-dir the rest is on disk, else the oldest are dropped and counted',
    parse: (text: string) => parseCount(text, 1, 10_000_000),
  },
  'outbox-bytes': {
    group: 'Broker',
    type: 'size',
    placeholder: 'size',
    default: '64M',
    help: 'bytes in memory while the broker is away',
    parse: parseSize,
  },
  'spool-dir': {
    group: 'Broker',
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'keeps on disk, below this directory, what the broker has not confirmed; delivered by the box itself, the next box of the user or "proc_box spool flush"',
    parse: parsePath,
  },
  'spool-max-bytes': {
    group: 'Broker',
    type: 'size',
    placeholder: 'size',
    default: '256M',
    help: "bytes of a user's spool; the oldest messages are dropped and counted",
    parse: parseSize,
  },
  'spool-max-age': {
    group: 'Broker',
    type: 'duration',
    placeholder: 'duration',
    default: '168h',
    help: 'older messages in the spool are dropped and counted',
    parse: parseDuration,
  },
  exchange: {
    group: 'Messages',
    type: 'text',
    placeholder: 'name',
    default: 'amq.topic',
    help: 'topic exchange for commands, statistics and events; declared durable where it does not exist',
    parse: parseKey,
  },
  'reply-exchange': {
    group: 'Messages',
    type: 'text',
    placeholder: 'name',
    default: '',
    help: 'topic exchange for the answers to commands, with reply_to as routing key; without it the default exchange',
    parse: parseKey,
  },
  rkey: {
    group: 'Messages',
    type: 'text',
    placeholder: 'key',
    default: 'proc_box.remote_control',
    help: 'routing key of remote commands; {user} in it stands for the user of the job',
    parse: (text: string) => text,
  },
  multiRmtKey: {
    group: 'Messages',
    type: 'boolean',
    default: 'false',
    help: 'rkey is a comma-separated list',
    parse: parseBoolean,
  },
  skey: {
    group: 'Messages',
    type: 'text',
    placeholder: 'key',
    default: 'proc_box.stats',
    help: 'routing key prefix of statistics: <skey>.<hostname>; {user} as in rkey',
    parse: parseKey,
  },
  ekey: {
    group: 'Messages',
    type: 'text',
    placeholder: 'key',
    default: 'proc_box.events',
    help: 'routing key prefix of lifecycle events: <ekey>.<hostname>; {user} as in rkey',
    parse: parseKey,
  },
  'control-auth': {
    group: 'Control',
    type: 'text',
    placeholder: 'broker|user|signed',
    default: 'broker',
    help: "who may command: whom the broker's permissions let, whom --control-rules name, or who has a key of --control-keys",
    parse: parseControlAuth,
  },
  'control-rules': {
    group: 'Control',
    type: 'JSON',
    placeholder: 'rules',
    default: DEFAULT_RULES,
    help: 'for --control-auth user: which broker users may give which commands; * stands for any characters, {owner} for the user of the job',
    parse: parseControlRules,
    shapes: ['objects'],
  },
  'control-keys': {
    group: 'Control',
    type: 'path',
    placeholder: 'folder',
    default: '',
    help: 'for --control-auth signed: folder of the public keys, a file <key id>.json each; looked into at each command',
    parse: parsePath,
  },
  'audit-log': {
    group: 'Control',
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'file that gets a line of JSON for each command, accepted or refused; made with mode 0600',
    parse: parsePath,
  },
  sint: {
    group: 'Statistics',
    type: 'duration',
    placeholder: 'duration',
    default: '1m',
    help: 'interval of statistics, at least 10ms; 0 turns periodic sampling off',
    parse: parseSampleInterval,
  },
  json: {
    group: 'Statistics',
    type: 'JSON',
    placeholder: 'object',
    default: '',
    help: 'a JSON object carried in every sample as UserData',
    parse: parseJsonObject,
    shapes: ['object'],
  },
  rows: {
    group: 'Statistics',
    type: 'count',
    placeholder: 'number',
    default: '10',
    help: 'rows of the largest processes in each sample, at most 1000',
    parse: (text: string) => parseCount(text, 0, 1000),
  },
  'rows-interval': {
    group: 'Statistics',
    type: 'duration',
    placeholder: 'duration',
    default: '1m',
    help: 'at most so old are the rows, and what else needs a look at every process, of a box of more than 64 processes with a cgroup; 0 looks for each sample',
    parse: parseDuration,
  },
  pss: {
    group: 'Statistics',
    type: 'boolean',
    default: 'false',
    help: 'proportional set size in each sample (smaps_rollup: costly for large processes)',
    parse: parseBoolean,
  },
  report: {
    group: 'Statistics',
    type: 'boolean',
    default: 'false',
    help: 'print the end report on stderr',
    parse: parseBoolean,
  },
  timeout: {
    group: 'Limits',
    type: 'duration',
    placeholder: 'duration',
    default: '10m',
    help: "wall clock limit; 0 means none; scheduler: a little before the job's own end, which Slurm is asked for where its environment does not tell; inside a Slurm or PBS job that is the default, without asking",
    parse: parseTimeout,
  },
  stdoutlimit: {
    group: 'Limits',
    type: 'size',
    placeholder: 'size',
    default: '100GiB',
    help: 'bytes of stdout before the job is stopped; 0 means none',
    parse: parseByteLimit,
  },
  memory: {
    group: 'Limits',
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'memory of the box with its page cache; more is reclaimed or ends the box (oom)',
    parse: parseMemory,
  },
  'memory-high': {
    group: 'Limits',
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'above this the box is slowed down and its memory reclaimed',
    parse: parseMemory,
  },
  swap: {
    group: 'Limits',
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'swap beside --memory; 0 where only --memory is given',
    parse: parseSwap,
  },
  cpus: {
    group: 'Limits',
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'CPU time per time, in cores: 1.5',
    parse: parseCpus,
  },
  'cpu-weight': {
    group: 'Limits',
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'share of busy CPUs against other groups, 1 to 10000; 100 is the usual one',
    parse: (text: string) => parseCount(text, 1, 10_000),
  },
  cpuset: {
    group: 'Limits',
    type: 'text',
    placeholder: 'list',
    default: '',
    help: 'CPUs that the box may run on: 0-3,5',
    parse: parseCpuList,
  },
  pids: {
    group: 'Limits',
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'processes and threads of the box; more are refused (EAGAIN)',
    parse: parsePids,
  },
  'io-max': {
    group: 'Limits',
    type: 'limit',
    placeholder: 'dev:key=limit',
    default: '',
    help: 'rate of a block device, named by itself or a file on it: /dev/sda:rbps=10M,wbps=10M,riops=100,wiops=100; repeatable',
    parse: parseIoMax,
    repeatable: true,
    shapes: ['list'],
  },
  'cpu-time': {
    group: 'Limits',
    type: 'duration',
    placeholder: 'duration',
    default: '',
    help: 'CPU time of all processes of the box together; 0 means none',
    parse: parseTimeLimit,
  },
  cgroup: {
    group: 'Limits',
    type: 'text',
    placeholder: 'auto|off|paths',
    default: 'auto',
    help: 'control groups: where possible below our own, none at all, or below these directories, comma-separated: a cgroup2 directory, or one of a v1 hierarchy each',
    parse: parseCgroupMode,
  },
  enforce: {
    group: 'Limits',
    type: 'text',
    placeholder: 'strict|best-effort',
    default: 'best-effort',
    help: 'refuse to start, or warn, where a limit can only be held weaker than by the kernel',
    parse: parseEnforce,
  },
  'oom-group': {
    group: 'Limits',
    type: 'boolean',
    default: 'true',
    help: 'out of memory ends the whole box, not one process of it',
    parse: parseBoolean,
  },
  rlimit: {
    group: 'Limits',
    type: 'limit',
    placeholder: 'name=soft:hard',
    default: '',
    help: 'limit of setrlimit(2) for every process of the job, named as in prlimit(1): nofile=1024:4096, core=unlimited; repeatable',
    parse: parseRlimits,
    repeatable: true,
    shapes: ['list', 'map'],
  },
  'stop-signal': {
    group: 'Job',
    type: 'signal',
    placeholder: 'signal',
    default: 'QUIT',
    help: 'signal that asks the job to end',
    parse: parseSignal,
  },
  grace: {
    group: 'Job',
    type: 'duration',
    placeholder: 'duration',
    default: '10s',
    help: 'from the stop signal to SIGKILL',
    parse: parseDuration,
  },
  linger: {
    group: 'Job',
    type: 'boolean',
    default: 'false',
    help: 'wait for what the main process leaves behind instead of stopping it',
    parse: parseBoolean,
  },
  argv0: {
    group: 'Job',
    type: 'text',
    placeholder: 'name',
    default: '',
    help: "the job's own name, argv[0], instead of the command: a login shell's begins with -",
    parse: (text: string) => text,
  },
  reraise: {
    group: 'Job',
    type: 'boolean',
    default: 'false',
    help: 'die of the signal that the job died of, instead of exit status 128+n',
    parse: parseBoolean,
  },
  failure: {
    group: 'Job',
    type: 'text',
    placeholder: 'open|closed',
    default: 'closed',
    help: 'where no box can be made: run the job without one, or do not start it (125); open needs -- before the command',
    parse: parseFailure,
    only: 'not in a file',
  },
  runanyway: {
    group: 'Job',
    type: 'boolean',
    default: 'false',
    help: 'accepted, no effect: the job always runs',
    parse: parseBoolean,
  },
  config: {
    group: 'Program',
    type: 'path',
    placeholder: 'path',
    default: '/etc/proc_box/config.yaml',
    help: 'YAML file of options; none reads no file',
    parse: parsePath,
    only: 'not in a file',
  },
  debug: { group: 'Program', type: 'boolean', default: 'false', help: 'log details', parse: parseBoolean },
  nowarn: { group: 'Program', type: 'boolean', default: 'false', help: 'log errors only', parse: parseBoolean },
  version: {
    group: 'Program',
    type: 'boolean',
    default: 'false',
    help: 'print the version',
    parse: parseBoolean,
    only: 'command line',
  },
  help: {
    group: 'Program',
    type: 'boolean',
    default: 'false',
    help: 'print this text',
    parse: parseBoolean,
    only: 'command line',
  },
} as const satisfies Readonly<Record<string, Option>>;

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

type Row<N extends OptionName> = (typeof OPTIONS)[N];

/** What an option's text becomes; undefined where it has no default and was not given. */
export type OptionValue<N extends OptionName> =
  | ReturnType<Row<N>['parse']>
  | (Row<N> extends { readonly repeatable: true } ? never : Row<N>['default'] extends '' ? undefined : never);

/** The row of an option, or undefined; safe for any text. */
export function findOption(name: string): (Option & { readonly name: OptionName }) | undefined {
  return Object.hasOwn(OPTIONS, name) ? { ...OPTIONS[name as OptionName], name: name as OptionName } : undefined;
}

/** `PBOX_OUTBOX_BYTES` for `outbox-bytes`. */
export function variableName(name: string): string {
  return `PBOX_${name.toUpperCase().replaceAll('-', '_')}`;
}
