import { SpecError } from '../errors.js';
import { parseCommandLine } from './command-line.js';
import { readSettings } from './environment.js';
import { atHome, type Files, readNamed, readSecret } from './files.js';
import { allOptions } from './locks.js';
import { readRascalConfig, type SiteConfig } from './rascal-config.js';
import { type Given, naming, type Resolved, type ResolvedOptions, resolveOptions } from './resolve.js';
import { mergeRlimits } from './rlimits.js';
import type { BoxSpec, Source } from './spec.js';
import type { LimitRow } from './table/limit.js';
import { LIMITS, type LimitName, type Resources, resourceNames } from './table/limits.js';
import type { OptionName } from './table.js';
import { type Deadline, timeLimit } from './time-limit.js';
import { parseUris } from './uri.js';
import { parseCommandKey } from './values.js';
import type { YamlLoader } from './yaml-document.js';

export interface SpecInput {
  /** The words of the command line that precede the command. */
  readonly words: readonly string[];
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Every `PBOX_*` entry of the environment, `NAME=value`. */
  readonly settings: readonly string[];
  readonly files: Files;
  readonly deadline: Deadline;
  readonly loadYaml: YamlLoader;
  /** Whether the site's locked options apply. Operators' own tools ignore them. @default kept */
  readonly locks?: 'kept' | 'ignored';
  /** Options that have no effect here; one that is given gets a warning. @default none */
  readonly without?: readonly OptionName[];
}

export interface Assembled {
  readonly spec: BoxSpec;
  /** Lines for the log, level warn. */
  readonly warnings: readonly string[];
}

export const USAGE = 'usage: proc_box [options] [--] <command> [arguments]';

/**
 * Assembles one frozen BoxSpec from command line, `PBOX_*` variables, config file and defaults. It is synchronous, reads only
 * the named files and the default config file, and loads no code except the YAML parser if a file needs it.
 * @throws SpecError for everything that the user must change; exit status 125
 */
export function assembleSpec(input: SpecInput): Assembled {
  const { command, files, loadYaml } = input;
  const { given, warnings } = parseCommandLine(input.words, command);
  const environment = readSettings(input.settings);
  const { kept, idle } = withoutIdle([...environment.given, ...given], input.without ?? []);
  const all = allOptions(kept, files, loadYaml, input.locks ?? 'kept');
  const options = resolveOptions(all.filter(({ name }) => !(input.without ?? []).includes(name)));
  if (options.refuse.value !== undefined) throw new SpecError(options.refuse.value);
  if (command.length === 0) throw new SpecError(`no command given; ${USAGE}`);

  const timeout = timeLimit(options.timeout, input.deadline);
  const site = siteConfig(options, files, loadYaml);
  const broker = brokerUris(options, files);
  const spec: BoxSpec = {
    uris: broker.uris,
    uriAsked: options.uri.source !== 'default' || options['uri-file'].value !== undefined,
    exchange: options.exchange.value,
    replyExchange: options['reply-exchange'].value ?? '',
    routingKeys: routingKeys(options),
    statsKey: options.skey.value,
    eventsKey: options.ekey.value,
    controlAuth: options['control-auth'].value,
    controlRules: options['control-rules'].value,
    controlKeys: keysFolder(options),
    auditLog: pathOf(options['audit-log']),
    sampleIntervalMs: options.sint.value,
    timeoutMs: timeout.limitMs,
    timeoutSource: timeout.source,
    timeoutAsked: timeout.asked,
    ...limitOrigins(options),
    stdoutMaxBytes: options.stdoutlimit.value,
    stdoutAsked: options.stdoutlimit.source !== 'default',
    enforceAsked: options.enforce.source !== 'default',
    messageTimeoutMs: options.msgtimeout.value,
    flushMs: options.flush.value,
    userData: options.json.value ?? null,
    rlimits: mergeRlimits(options.rlimit.value),
    resources: resources(options),
    cgroup: options.cgroup.value,
    enforce: options.enforce.value,
    oomGroup: options['oom-group'].value,
    near: options.near.value,
    warnSignal: options['warn-signal'].value,
    stopSignal: options['stop-signal'].value,
    endSignal: options['stop-signal'].source === 'default' ? SIGTERM : options['stop-signal'].value,
    graceMs: options.grace.value,
    graceAsked: options.grace.source !== 'default',
    linger: options.linger.value,
    argv0: options.argv0.value,
    reraise: options.reraise.value,
    report: options.report.value,
    rows: options.rows.value,
    rowsIntervalMs: options['rows-interval'].value,
    pss: options.pss.value,
    rascalConfig: site,
    outboxMaxMessages: options['outbox-messages'].value,
    outboxMaxBytes: options['outbox-bytes'].value,
    spoolDir: pathOf(options['spool-dir']),
    spoolMaxBytes: options['spool-max-bytes'].value,
    spoolMaxAgeMs: options['spool-max-age'].value,
    debug: options.debug.value,
    nowarn: options.nowarn.value || options.quiet.value,
    quiet: options.quiet.value && !options.debug.value,
    reportFile: options['report-file'].value,
    command: [...command],
    argumentCount: command.length - 1,
  };
  return {
    spec: deepFreeze(spec),
    warnings: [...warnings, ...idle, ...environment.warnings, ...broker.warnings, ...siteWarnings(site)],
  };
}

/** Leaves out the options that have no effect, and says so. */
function withoutIdle(given: readonly Given[], without: readonly OptionName[]) {
  const idle = given.filter(({ name }) => without.includes(name));
  return {
    kept: given.filter(({ name }) => !without.includes(name)),
    idle: [...new Set(idle.map(({ origin }) => `${origin} has no effect: it is the agent's to set`))],
  };
}

/** Schedulers send TERM, too. QUIT, the default of the command `stop`, writes a core file if `ulimit -c` allows one. */
const SIGTERM = 15;

const RANKS: Readonly<Record<Source, number>> = {
  default: 0,
  scheduler: 0,
  'config file': 1,
  environment: 2,
  'command line': 3,
};

interface BrokerUris {
  readonly uris: readonly string[];
  readonly warnings: readonly string[];
}

/** Takes the URIs of `uri` or `uri-file`, from whichever has the stronger source. */
function brokerUris(options: ResolvedOptions, files: Files): BrokerUris {
  const { uri, 'uri-file': file } = options;
  if (file.value === undefined || RANKS[uri.source] > RANKS[file.source]) return { uris: uri.value, warnings: [] };
  if (uri.source === file.source) {
    throw new SpecError(`${file.origin} and ${uri.origin} are both given: give one of them`);
  }
  const path = file.value;
  if (file.source === 'config file' && path.startsWith('~/') && files.read(path) === 'ENOENT') {
    // A site names a file that each user may have. A user without a broker account still runs jobs.
    return { uris: [], warnings: [`${file.origin}: ${path} does not exist, so this box runs without a broker`] };
  }
  const text = readSecret(files, path, file.origin);
  return { uris: naming(`${file.origin}: ${path}`, () => parseUris(text)), warnings: [] };
}

/** Reads `--rascal-config`, and the PEM files of `--tls-ca`, `--tls-cert` and `--tls-key`, which override it. */
function siteConfig(options: ResolvedOptions, files: Files, loadYaml: YamlLoader): SiteConfig | undefined {
  const { 'rascal-config': rascal, 'tls-ca': ca, 'tls-cert': cert, 'tls-key': key } = options;
  const site = rascal.value === undefined ? undefined : readRascalConfig(rascal.value, rascal.origin, files, loadYaml);
  if (key.value !== undefined && cert.value === undefined) {
    throw new SpecError(`${key.origin}: a private key is of no use without its certificate: give it with --tls-cert`);
  }
  if (cert.value !== undefined && key.value === undefined) {
    throw new SpecError(`${cert.origin}: a certificate needs its private key: give it with --tls-key`);
  }
  const pem = ({ value, origin }: Resolved<string | undefined>, read: typeof readSecret) => {
    const text = value === undefined ? undefined : read(files, value, origin);
    if (text === undefined || text.includes('-----BEGIN ')) return text;
    throw new SpecError(
      `${origin}: ${value} is not a PEM file: expected text with lines like "-----BEGIN CERTIFICATE-----"`,
    );
  };
  const tls = {
    ca: pem(ca, (...named) => readNamed(...named).text),
    cert: pem(cert, (...named) => readNamed(...named).text),
    key: pem(key, readSecret),
  };
  const given = Object.fromEntries(Object.entries(tls).filter(([, text]) => text !== undefined));
  if (Object.keys(given).length === 0) return site;
  const socketOptions = { ...site?.connection?.socketOptions, ...given };
  return { ...site, connection: { ...site?.connection, socketOptions } };
}

function siteWarnings(site: SiteConfig | undefined): readonly string[] {
  if (site?.connection?.socketOptions?.['rejectUnauthorized'] !== false) return [];
  return [
    'rejectUnauthorized is false in --rascal-config: any server that answers is taken for the broker and gets the password',
  ];
}

/** @throws SpecError if commands must be signed but there is no key to check signatures with */
function keysFolder(options: ResolvedOptions): string | undefined {
  const { 'control-auth': auth, 'control-keys': keys } = options;
  if (auth.value !== 'signed' || keys.value !== undefined) return pathOf(keys);
  throw new SpecError(`${auth.origin}: signed needs the folder of the public keys: give it with --control-keys`);
}

/** Expands `~/` where no shell has done so: after `--name=`, in a variable, in a file. */
function pathOf({ value }: Resolved<string | undefined>): string | undefined {
  return value === undefined ? undefined : atHome(value);
}

/** The origin and source of every limit that was given. */
function limitOrigins(options: ResolvedOptions): Pick<BoxSpec, 'limitOrigins' | 'limitSources'> {
  const limits = (Object.keys(LIMITS) as LimitName[]).map((name) => [name, options[name]] as const);
  const rlimits = options.rlimit.value.map(({ name }) => [name, options.rlimit] as const);
  const given = [...limits, ...rlimits].filter(([, { source }]) => source !== 'default');
  return {
    limitOrigins: Object.fromEntries(given.map(([name, { origin }]) => [name, origin])),
    limitSources: Object.fromEntries(given.map(([name, { source }]) => [name, source])),
  };
}

/** The limits of the box as a whole that were given. */
function resources(options: ResolvedOptions): Resources {
  const given = resourceNames().flatMap((name) => {
    const { value } = options[name];
    const { zeroIsNone }: LimitRow = LIMITS[name];
    const isAbsent = value === undefined || (value === 0 && zeroIsNone) || (Array.isArray(value) && value.length === 0);
    return isAbsent ? [] : [[name, value]];
  });
  return Object.fromEntries(given);
}

function routingKeys(options: ResolvedOptions): readonly string[] {
  const { rkey, multiRmtKey } = options;
  const keys = multiRmtKey.value ? rkey.value.split(',').map((key) => key.trim()) : [rkey.value];
  return naming(rkey.origin, () => [...new Set(keys.map(parseCommandKey))]);
}

function deepFreeze<V>(value: V): V {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
