import type * as Yaml from 'yaml';
import { SpecError } from '../errors.js';
import { type Files, readNamed } from './files.js';
import { didYouMean, quote } from './words.js';
import { parseYaml, scalarText, type YamlDocument, type YamlLoader, type YamlPair } from './yaml-document.js';

/**
 * The part of rascal's configuration that a site may set, because no promise of proc_box depends on it. The names are those of
 * rascal (its schema.json), of amqplib for `connection.options`, and of node:net and node:tls for `connection.socketOptions`.
 */
export type LeafType = 'count' | 'boolean' | 'text' | 'pem' | 'arguments';
export interface Leaf {
  readonly type: LeafType;
  readonly help: string;
}
export interface Section {
  readonly [key: string]: Leaf | Section;
}

const count = (help: string): Leaf => ({ type: 'count', help });
const flag = (help: string): Leaf => ({ type: 'boolean', help });
const text = (help: string): Leaf => ({ type: 'text', help });
const pem = (help: string): Leaf => ({ type: 'pem', help });
const table = (help: string): Leaf => ({ type: 'arguments', help });

const publication: Section = {
  persistent: flag('messages survive a restart of the broker in durable queues'),
  expiration: text('lifetime of a message in a queue: ms, as a string'),
  priority: count('priority of the messages'),
  headers: table('headers of the messages'),
};

/** A checked file. It has the shape of RASCAL_SECTIONS, and amqp/config.ts merges it into our configuration. */
export interface SiteConfig {
  readonly connection?: { readonly options?: Fields; readonly socketOptions?: Fields };
  readonly exchange?: { readonly options?: Fields };
  readonly queue?: { readonly arguments?: Fields };
  readonly publications?: { readonly statistics?: Fields; readonly replies?: Fields };
}

type Fields = Readonly<Record<string, unknown>>;

export const RASCAL_SECTIONS: Section = {
  connection: {
    options: {
      heartbeat: count('seconds between heartbeats; a silent link is noticed after about three'),
      channelMax: count('channels of a connection'),
      frameMax: count('largest frame, bytes'),
      locale: text("locale of the broker's texts"),
    },
    socketOptions: {
      timeout: count('time for the TCP connection, ms'),
      noDelay: flag('no Nagle delay'),
      keepAlive: flag('TCP keep-alive'),
      keepAliveDelay: count('idle time before the first keep-alive probe, ms'),
      localAddress: text('address to connect from'),
      family: count('4 or 6: version of IP; 0 for both'),
      ca: pem('certificates of the authorities to trust'),
      cert: pem('certificate of this client'),
      key: pem('private key of this client'),
      passphrase: text('passphrase of the private key'),
      servername: text('host name to ask for and to check (SNI)'),
      rejectUnauthorized: flag('refuse a certificate that no trusted authority signed'),
      minVersion: text('oldest TLS version: TLSv1.2 or TLSv1.3'),
      maxVersion: text('newest TLS version'),
      ciphers: text('TLS cipher suites'),
      clientProperties: table('properties of this client that the broker shows'),
    },
  },
  exchange: {
    options: {
      durable: flag('survives a restart of the broker'),
      autoDelete: flag('deleted with its last binding'),
      internal: flag('accepts messages only from other exchanges'),
      alternateExchange: text('exchange that gets the messages for which no queue is bound'),
      arguments: table('arguments of the declaration'),
    },
  },
  queue: { arguments: table('arguments of the command queue, such as x-message-ttl and x-max-length') },
  publications: { statistics: publication, replies: publication },
};

/**
 * Reads and checks a file of `--rascal-config`: YAML or JSON.
 * @returns the same tree as in the file, with the content of the PEM files that it names
 * @throws SpecError that names file and line, for an unknown key (with the nearest known one) or a wrong value
 */
export function readRascalConfig(path: string, origin: string, files: Files, loadYaml: YamlLoader): SiteConfig {
  const document = parseYaml(path, readNamed(files, path, origin).text, loadYaml());
  return readSection({ file: path, files, document }, RASCAL_SECTIONS, document.pairs, '');
}

interface Context {
  readonly file: string;
  readonly files: Files;
  readonly document: YamlDocument;
}

function readSection(
  context: Context,
  section: Section,
  pairs: readonly YamlPair[],
  prefix: string,
): Record<string, unknown> {
  const { file, document } = context;
  const result: Record<string, unknown> = {};
  for (const { key, value, line } of pairs) {
    const where = `${file}:${line}`;
    const rule = Object.hasOwn(section, key) ? section[key] : undefined;
    if (rule === undefined) {
      const known = Object.keys(section);
      throw new SpecError(
        `${where}: ${quote(prefix + key)} is not a key of --rascal-config${didYouMean(key, known) || `; expected one of ${known.join(', ')}`}`,
      );
    }
    if (isLeaf(rule)) {
      result[key] = readLeaf(context, rule, value, `${where}: ${prefix}${key}`);
    } else if (document.yaml.isMap(value)) {
      result[key] = readSection(context, rule, document.pairsOf(value), `${prefix}${key}.`);
    } else {
      throw new SpecError(`${where}: ${prefix}${key}: expected a mapping with ${Object.keys(rule).join(', ')}`);
    }
  }
  return result;
}

function isLeaf(rule: Leaf | Section): rule is Leaf {
  return typeof rule['type'] === 'string';
}

function readLeaf({ document, files }: Context, { type }: Leaf, node: unknown, where: string): unknown {
  const { yaml } = document;
  const value = yaml.isScalar(node) ? node.value : undefined;
  const shown = scalarText(yaml, node) ?? '';
  switch (type) {
    case 'count':
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
      throw new SpecError(`${where}: expected a whole number of 0 or more, for example 10`);
    case 'boolean':
      if (typeof value === 'boolean') return value;
      throw new SpecError(`${where}: expected true or false`);
    case 'text':
      if (shown !== '') return shown;
      throw new SpecError(`${where}: expected a string, for example "x"`);
    case 'pem':
      if (shown.startsWith('-----BEGIN ')) return shown;
      if (shown.startsWith('/')) return readNamed(files, shown, where).text;
      throw new SpecError(
        `${where}: expected PEM text or the absolute path of a PEM file, for example "/etc/ssl/certs/broker.pem"`,
      );
    case 'arguments':
      return readArguments(document, node, where);
  }
}

function readArguments(document: YamlDocument, node: unknown, where: string): Record<string, unknown> {
  const { yaml } = document;
  const pairs = yaml.isMap(node) ? document.pairsOf(node as Yaml.YAMLMap) : undefined;
  const entries = pairs?.map(({ key, value }) => [key, yaml.isScalar(value) ? value.value : undefined] as const);
  if (entries === undefined || entries.some(([, value]) => !['string', 'number', 'boolean'].includes(typeof value))) {
    throw new SpecError(
      `${where}: expected a mapping of names to strings, numbers or booleans, for example {x-max-length: 100}`,
    );
  }
  return Object.fromEntries(entries);
}
