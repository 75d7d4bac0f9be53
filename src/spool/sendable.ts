import type { MessageRecord } from './record.js';

/**
 * Whether AMQP 0-9-1 can carry a record as it is. What is out of range would throw in the client, or end a channel or
 * the whole connection, and hold up everybody whose messages come after it.
 */

/** A short string. */
const SHORT_MAX_BYTES = 255;
const PRIORITY_MAX = 255;
/** RabbitMQ refuses a longer one: the channel ends with 406. */
const EXPIRATION_MAX_MS = 2 ** 32 - 1;
/** The last moment of a Date: consumers make one of it. */
const TIMESTAMP_MAX_SEC = 8.64e12;
/** Properties travel in one frame, of 4 KiB at least; a site's own headers have some dozens of bytes. */
const HEADERS_MAX_CHARACTERS = 2048;
const HEADERS_MAX_DEPTH = 4;

const SHORT_OPTIONS = ['contentType', 'messageId', 'type', 'appId'] as const;

/** @returns what cannot be sent, for messages; undefined where nothing speaks against it */
export function unsendable({ exchange, routingKey, options }: MessageRecord): string | undefined {
  const texts = { exchange, 'routing key': routingKey, ...pick(options, SHORT_OPTIONS) };
  for (const [name, text] of Object.entries(texts)) {
    const bytes = Buffer.byteLength(text);
    if (bytes > SHORT_MAX_BYTES) return `its ${name} has ${bytes} bytes: AMQP carries ${SHORT_MAX_BYTES}`;
  }
  const { priority, timestamp, expiration, headers } = options;
  if (!isWithin(priority, PRIORITY_MAX)) return `its priority is ${priority}: expected 0 to ${PRIORITY_MAX}`;
  if (!isWithin(timestamp, TIMESTAMP_MAX_SEC)) return `its timestamp ${timestamp} is no time in seconds`;
  if (expiration !== undefined && !isExpiration(String(expiration)))
    return 'its expiration is no number of milliseconds below 2^32';
  return headers === undefined ? undefined : unsendableHeaders(headers as object);
}

function unsendableHeaders(headers: object): string | undefined {
  if (!isShallow(headers, HEADERS_MAX_DEPTH)) return `its headers are nested deeper than ${HEADERS_MAX_DEPTH}`;
  if (JSON.stringify(headers).length > HEADERS_MAX_CHARACTERS)
    return `its headers have more than ${HEADERS_MAX_CHARACTERS} characters`;
  return undefined;
}

/** Names of headers are short strings, and `!` is how amqplib is told of AMQP's own types. */
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
