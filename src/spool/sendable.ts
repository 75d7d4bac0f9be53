import type { MessageRecord } from './record.js';

/**
 * Checks whether AMQP 0-9-1 can carry a record as it is. A value out of range would throw in the client, or end the
 * channel or the whole connection, and so hold up everybody whose messages come later.
 */

/** A short string. */
const SHORT_MAX_BYTES = 255;
const PRIORITY_MAX = 255;
/** RabbitMQ refuses a longer expiration, and closes the channel with 406. */
const EXPIRATION_MAX_MS = 2 ** 32 - 1;
/** The latest time that a Date can hold, since consumers convert timestamps to one. */
const TIMESTAMP_MAX_SEC = 8.64e12;
/** Properties travel in one frame, which may be as small as 4 KiB. A site's own headers have a few dozen bytes. */
const HEADERS_MAX_CHARACTERS = 2048;
const HEADERS_MAX_DEPTH = 4;

const SHORT_OPTIONS = ['contentType', 'messageId', 'type', 'appId'] as const;

/** @returns why the record cannot be sent, for log messages; undefined if it can */
export function unsendable({ exchange, routingKey, options }: MessageRecord): string | undefined {
  const texts = { exchange, 'routing key': routingKey, ...pick(options, SHORT_OPTIONS) };
  for (const [name, text] of Object.entries(texts)) {
    const bytes = Buffer.byteLength(text);
    if (bytes > SHORT_MAX_BYTES) return `its ${name} has ${bytes} bytes: AMQP carries at most ${SHORT_MAX_BYTES}`;
  }
  const { priority, timestamp, expiration, headers } = options;
  if (!isWithin(priority, PRIORITY_MAX)) return `its priority is ${priority}: expected 0 to ${PRIORITY_MAX}`;
  if (!isWithin(timestamp, TIMESTAMP_MAX_SEC)) return `its timestamp ${timestamp} is not a time in seconds`;
  if (expiration !== undefined && !isExpiration(String(expiration)))
    return 'its expiration is not a number of milliseconds below 2^32';
  return headers === undefined ? undefined : unsendableHeaders(headers as object);
}

function unsendableHeaders(headers: object): string | undefined {
  if (!isShallow(headers, HEADERS_MAX_DEPTH)) return `its headers are nested deeper than ${HEADERS_MAX_DEPTH}`;
  if (JSON.stringify(headers).length > HEADERS_MAX_CHARACTERS)
    return `its headers have more than ${HEADERS_MAX_CHARACTERS} characters`;
  return undefined;
}

/** Header names are short strings. The name `!` is excluded, because amqplib uses it to mark AMQP's own types. */
function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  const names = Array.isArray(value) ? [] : Object.keys(value);
  return (
    names.every((name) => name !== '!' && Buffer.byteLength(name) <= SHORT_MAX_BYTES) &&
    Object.values(value).every((field) => isShallow(field, depth - 1))
  );
}

function isWithin(value: unknown, most: number): boolean {
  return value === undefined || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most);
}

function isExpiration(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= EXPIRATION_MAX_MS;
}

function pick(options: MessageRecord['options'], names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (name in options ? [[name, String(options[name])]] : [])));
}
