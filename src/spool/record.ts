import { createHash } from 'node:crypto';
import type { JobIdentity } from '../options/spec.js';
import { toIdentity } from './identity.js';

/**
 * A record of a spool file. The file is text with one record per line: the first 16 hexadecimal digits of the SHA-256
 * of the JSON, a space, and the JSON. Records are only ever appended. Each stands for itself, so a damaged or
 * incomplete one costs no other. Spool files neither name a broker nor hold a credential.
 */
export type SpoolRecord = HeadRecord | MessageRecord | MarkRecord;

/** The first line. */
export interface HeadRecord {
  readonly spool: 1;
  readonly identity: JobIdentity;
  /** Number of the first message that should have been kept, and of the first that there was room for. */
  readonly from: number;
  readonly first: number;
}

export interface MessageRecord {
  /** Number in the box's one sequence of samples and events. */
  readonly n: number;
  readonly exchange: string;
  readonly routingKey: string;
  /** AMQP properties, as amqplib's publish takes them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** The broker has every message up to this number, or it was given up and counted. */
export interface MarkRecord {
  readonly through: number;
}

const DIGITS = 16;

export function encode(record: SpoolRecord): string {
  const json = JSON.stringify(record);
  return `${sum(json)} ${json}\n`;
}

/** @returns undefined if the line is damaged or is not a record */
export function decode(line: string): SpoolRecord | undefined {
  const json = line.slice(DIGITS + 1);
  if (line[DIGITS] !== ' ' || line.slice(0, DIGITS) !== sum(json)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined; // the checksum fits, so something other than a box wrote it
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

/**
 * Only properties that describe the message may pass. amqplib also takes options with other effects: more keys to route
 * to, another sender, another place for answers.
 */
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
