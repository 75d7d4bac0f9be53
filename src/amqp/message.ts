import type { Answer, RefusalCode, Requester } from '../model/types.js';
import type { JobIdentity } from '../options/spec.js';
import { didYouMean, quote } from '../options/words.js';
import { parseLenient, repeatedKey } from './lenient-json.js';

/** Parses the bytes of a command message into a request, or says why it is refused. Nothing here trusts the sender. */

/** A delivery as amqplib gives it, reduced to what we read. The sender chooses every property. */
export interface Delivery {
  readonly content: unknown;
  readonly fields?: { readonly exchange?: unknown; readonly routingKey?: unknown };
  readonly properties: {
    readonly headers?: unknown;
    readonly messageId?: unknown;
    readonly correlationId?: unknown;
    readonly replyTo?: unknown;
    readonly expiration?: unknown;
    readonly timestamp?: unknown;
    readonly userId?: unknown;
  };
}

/** The name and arguments of a command as text, not yet checked against the table of commands. */
export interface CommandRequest {
  readonly kind: 'request';
  readonly name: string;
  readonly args: readonly string[];
  /** The gate has seen this very message before: the box may answer it again, but must not carry it out again. */
  readonly repeated?: true;
}

export interface Refusal {
  readonly kind: 'refusal';
  readonly answer: Extract<Answer, { ok: false }>;
  /** The command's name; empty if the message has none. */
  readonly name: string;
  /** The arguments as they were sent; null if they could not be read. */
  readonly args: readonly string[] | null;
  /** More for our own log, which the sender must not learn. */
  readonly detail?: string;
}

/** The message is for other boxes: its `target` does not name this one. */
export interface Ignored {
  readonly kind: 'ignored';
}

const BODY_MAX_BYTES = 64 * 1024;
const ARGUMENTS_MAX = 16;
const NAME_MAX_CHARACTERS = 64;
/** Allowance for clocks that differ between hosts. */
const CLOCK_TOLERANCE_MS = 5_000;
export const BODY_KEYS = ['command', 'arguments', 'target'];
const NOT_JSON = 'the body is not JSON in UTF-8: for example {"command": "ping"}';
const TARGET_KEYS = ['cluster', 'host', 'node', 'job', 'step', 'task', 'user', 'box'] as const;

/**
 * @param identity who this box is, for `target`
 * @param nowMs wall clock
 */
export function parseMessage(
  delivery: Delivery,
  identity: JobIdentity,
  nowMs: number,
): CommandRequest | Refusal | Ignored {
  const body = readBody(delivery, nowMs);
  return 'refusal' in body ? body.refusal : readRequest(body.fields, identity);
}

/**
 * Makes a function of a delivery that does its work once for each delivery, and forgets it with the delivery: a node's
 * link gives the same delivery to each of its boxes.
 */
export function oncePerDelivery<T>(work: (delivery: Delivery, nowMs: number) => T) {
  const done = new WeakMap<Delivery, { readonly result: T }>();
  return (delivery: Delivery, nowMs: number): T => {
    let entry = done.get(delivery);
    if (entry === undefined) {
      entry = { result: work(delivery, nowMs) };
      done.set(delivery, entry);
    }
    return entry.result;
  };
}

type Body = { readonly fields: Readonly<Record<string, unknown>> } | { readonly refusal: Refusal };

/** What of a message does not depend on the box that it is for. */
const readBody = oncePerDelivery((delivery, nowMs): Body => {
  const text = readText(delivery, nowMs);
  if (typeof text !== 'string') return { refusal: text };
  let body: unknown;
  try {
    body = parseLenient(text);
  } catch {
    return { refusal: refuse('not_json', NOT_JSON) };
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) return { refusal: refuse('bad_message', `the body has the key ${quote(twice)} twice`) };
  const fields = ownFields(body, BODY_KEYS);
  return typeof fields === 'string' ? { refusal: refuse('bad_message', `the body ${fields}`) } : { fields };
});

/** @returns the text of the body, or a refusal because of its headers, age, size or encoding */
export const readText = oncePerDelivery(({ content, properties }, nowMs): string | Refusal => {
  if (isForged(properties.headers)) {
    return refuse(
      'forged',
      'the message carries headers that rewrite its routing: publish it without a "rascal" header',
    );
  }
  if (isExpired(properties.timestamp, properties.expiration, nowMs)) {
    return refuse('expired', 'the message is older than its expiration');
  }
  if (!(content instanceof Uint8Array)) return refuse('not_json', 'the message has no body');
  if (content.byteLength > BODY_MAX_BYTES) {
    return refuse('too_large', `the body has ${content.byteLength} bytes: at most ${BODY_MAX_BYTES} are accepted`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return refuse('not_json', NOT_JSON);
  }
});

/** Who sent the message. If it has a `user_id`, the broker has checked it. */
export function requesterOf(properties: Delivery['properties']): Requester {
  const { messageId, userId } = properties;
  return {
    via: 'amqp',
    ...(typeof messageId === 'string' ? { messageId } : {}),
    ...(typeof userId === 'string' ? { user: userId } : {}),
  };
}

export function refuse(
  code: RefusalCode,
  message: string,
  name = '',
  args: readonly string[] | null = null,
  detail?: string,
): Refusal {
  return { kind: 'refusal', name, args, answer: { ok: false, error: { code, message } }, ...(detail && { detail }) };
}

/** The refusal of a signed command that was given before and whose answer the box does not remember. */
export function replayed({ name, args }: Pick<CommandRequest, 'name' | 'args'>): Refusal {
  return refuse('replayed', 'this signed command was given before: sign it again to repeat it', name, args);
}

/** rascal itself sets `originalQueue` and `originalVhost` on every delivery; everything else came from the sender. */
function isForged(headers: unknown): boolean {
  if (typeof headers !== 'object' || headers === null || !Object.hasOwn(headers, 'rascal')) return false;
  const rascal = (headers as Record<string, unknown>)['rascal'];
  if (typeof rascal !== 'object' || rascal === null || Array.isArray(rascal)) return true;
  return Object.keys(rascal).some((key) => !['originalQueue', 'originalVhost', 'redeliveries'].includes(key));
}

function isExpired(timestamp: unknown, expiration: unknown, nowMs: number): boolean {
  if (typeof timestamp !== 'number' || typeof expiration !== 'string' || !/^\d{1,15}$/.test(expiration)) return false;
  // `timestamp` is in whole seconds, so the message may be up to a second younger.
  return timestamp * 1000 + 1000 + Number(expiration) + CLOCK_TOLERANCE_MS < nowMs;
}

/** @param fields the body's fields by their names in lower case, from `ownFields` */
export function readRequest(
  fields: Readonly<Record<string, unknown>>,
  identity: JobIdentity,
): CommandRequest | Refusal | Ignored {
  const { command: name, arguments: args, target } = fields;
  const shownName = typeof name === 'string' ? name.slice(0, NAME_MAX_CHARACTERS) : '';
  const turnDown = (message: string) => refuse('bad_message', message, shownName);

  if (target !== undefined && target !== null) {
    const named = names(target, identity);
    if (typeof named === 'string') return turnDown(`"target" ${named}`);
    if (!named) return { kind: 'ignored' };
  }
  if (typeof name !== 'string' || name === '') return turnDown('the body has no "command", or it is not a string');
  if (name.length > NAME_MAX_CHARACTERS) return turnDown(`"command" has over ${NAME_MAX_CHARACTERS} characters`);
  if (args === undefined || args === null) return { kind: 'request', name, args: [] };
  if (!Array.isArray(args) || args.length > ARGUMENTS_MAX) {
    return turnDown(`"arguments" is not an array of at most ${ARGUMENTS_MAX} strings`);
  }
  if (!args.every((value) => typeof value === 'string' || typeof value === 'number')) {
    return turnDown('"arguments" holds something that is neither a string nor a number');
  }
  return { kind: 'request', name, args: args.map(String) };
}

/** @returns whether every key of the target names this box, or what is wrong with the target */
function names(target: unknown, identity: JobIdentity): boolean | string {
  const fields = ownFields(target, TARGET_KEYS);
  if (typeof fields === 'string') return fields;
  const wrong = Object.entries(fields).find(([, value]) => typeof value !== 'string' && typeof value !== 'number');
  if (wrong !== undefined) return `holds a "${wrong[0]}" that is neither a string nor a number`;
  return TARGET_KEYS.every((key) => fields[key] === undefined || String(fields[key]) === identity[key]);
}

/** @returns the own properties of `value` by their keys in lower case, or what is wrong with it */
export function ownFields(value: unknown, known: readonly string[]): Record<string, unknown> | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not a JSON object';
  const fields: Record<string, unknown> = Object.create(null);
  for (const [key, field] of Object.entries(value)) {
    const name = key.toLowerCase();
    if (!known.includes(name)) return `has an unknown key ${quote(key)}${didYouMean(key, known)}`;
    if (name in fields) return `has the key "${name}" twice`;
    fields[name] = field;
  }
  return fields;
}
