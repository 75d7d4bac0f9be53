import { createHash } from 'node:crypto';
import type { JobIdentity } from '../options/spec.js';
import { toIdentity } from './identity.js';

/**
 * A spool file is text, a record a line: 16 hexadecimal digits of the SHA-256 of the rest, a space, JSON. Records are
 * only ever added; each stands for itself, so that one that is torn or damaged loses nothing else. Nothing in it names
 * a broker or holds a credential.
 */
export type SpoolRecord = HeadRecord | MessageRecord | MarkRecord;

/** The first line. */
export interface HeadRecord {
  readonly spool: 1;
  readonly identity: JobIdentity;
  /** Number of the first message that was to be kept, and of the first that there was room for. */
  readonly from: number;
  readonly first: number;
}

export interface MessageRecord {
  /** Number in the box's one sequence of samples and events. */
  readonly n: number;
  readonly exchange: string;
  readonly routingKey: string;
  /** AMQP properties, as amqplib takes them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Everything up to this number is with the broker, or was given up and counted. */
export interface MarkRecord {
  readonly through: number;
}

const DIGITS = 16;

export function encode(record: SpoolRecord): string {
  const json = JSON.stringify(record);
  return `${sum(json)} ${json}\n`;
}

/** @returns undefined where the line is damaged, or is no record */
export function decode(line: string): SpoolRecord | undefined {
  const json = line.slice(DIGITS + 1);
  if (line[DIGITS] !== ' ' || line.slice(0, DIGITS) !== sum(json)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined; // with a sum that fits: written by something else
  }
  if (!isRecord(value)) return undefined;
  if (!('spool' in value)) return value;
  const identity = toIdentity(value.identity);
  return identity && { ...value, identity };
}

function sum(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, DIGITS);
}

type Shape = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is SpoolRecord {
  if (!isObject(value)) return false;
  if ('spool' in value) {
    return value['spool'] === 1 && isObject(value['identity']) && isNumber(value['from']) && isNumber(value['first']);
  }
  if ('through' in value) return isNumber(value['through']);
  const { n, exchange, routingKey, options, body } = value;
  const texts = [exchange, routingKey, body].every((text) => typeof text === 'string');
  return isNumber(n) && texts && isObject(options) && hasKnownOptions(options);
}

/** What amqplib would take for more than a property: other keys to route to, another sender, another place to answer. */
function hasKnownOptions(options: Shape): boolean {
  const known: Readonly<Record<string, string>> = {
    persistent: 'boolean',
    contentType: 'string',
    messageId: 'string',
    timestamp: 'number',
    type: 'string',
    appId: 'string',
    expiration: 'string',
    priority: 'number',
    headers: 'object',
  };
  const headers = options['headers'] ?? {};
  return (
    Object.entries(options).every(([name, value]) => Object.hasOwn(known, name) && typeof value === known[name]) &&
    isObject(headers) &&
    !('CC' in headers || 'BCC' in headers)
  );
}

function isObject(value: unknown): value is Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
