import type { JobIdentity } from '../options/spec.js';

/**
 * Routing keys. A topic key consists of segments with dots between them; an AMQP 0-9-1 short string holds 255 bytes.
 */
const KEY_MAX_BYTES = 255;

/**
 * The binding keys of one box. Each routing key K of remote commands gives `K`, `K.host.<host>`, `K.job.<job>`,
 * `K.user.<user>`, `K.user.<user>.job.<job>` and `K.box.<box>`.
 * @returns each key once, without those over 255 bytes, which AMQP cannot carry
 */
export function addressingKeys(routingKeys: readonly string[], identity: JobIdentity): string[] {
  return keysFor(routingKeys, identity, () => true);
}

/** Those of the addressing keys that boxes of other jobs may have as well: `K`, `K.host.<host>`, `K.user.<user>`. */
export function groupKeys(routingKeys: readonly string[], identity: JobIdentity): string[] {
  return keysFor(routingKeys, identity, ({ single }) => !single);
}

/** Those of the addressing keys that name a job or a box. */
export function singleKeys(routingKeys: readonly string[], identity: JobIdentity): string[] {
  return keysFor(routingKeys, identity, ({ single }) => single);
}

interface Suffix {
  readonly text: string;
  /** It names a job or a box. */
  readonly single: boolean;
}

function keysFor(routingKeys: readonly string[], identity: JobIdentity, chosen: (suffix: Suffix) => boolean): string[] {
  const [host, job, user, box] = [identity.host, identity.job, identity.user, identity.box].map(keySegment);
  const suffixes = [
    { text: '', single: false },
    { text: `.host.${host}`, single: false },
    { text: `.job.${job}`, single: true },
    { text: `.user.${user}`, single: false },
    { text: `.user.${user}.job.${job}`, single: true },
    { text: `.box.${box}`, single: true },
  ].filter(chosen);
  const keys = routingKeys
    .map((key) => forUser(key, identity.user))
    .flatMap((key) => suffixes.map(({ text }) => key + text));
  return [...new Set(keys)].filter((key) => Buffer.byteLength(key) <= KEY_MAX_BYTES);
}

/**
 * The binding key that addresses this box alone; undefined if it is too long for AMQP, or if there is no routing key.
 */
export function boxKey(routingKeys: readonly string[], identity: JobIdentity): string | undefined {
  return addressingKeys(routingKeys.slice(0, 1), identity).find((key) =>
    key.endsWith(`.box.${keySegment(identity.box)}`),
  );
}

/** Replaces `{user}` by the user's name, so that a site can give each user keys of their own. */
export function forUser(key: string, user: string): string {
  return key.replaceAll('{user}', () => keySegment(user));
}

/** One segment of a topic key: `.`, `*`, `#`, white space and control characters become `_`, as does an empty text. */
export function keySegment(text: string): string {
  return cleaned(text, /[.*#\s\p{Cc}]/gu);
}

/**
 * Routing key of statistics and events, `<prefix>.<hostname>`. The dots of a hostname stay, as in version 1, because
 * consumers bind `<prefix>.#`. Other characters that a segment cannot hold become `_`.
 */
export function outgoingKey(prefix: string, host: string): string {
  const key = `${prefix}.${cleaned(host, /[*#\s\p{Cc}]/gu)}`;
  return Buffer.byteLength(key) <= KEY_MAX_BYTES ? key : prefix;
}

function cleaned(text: string, notAllowed: RegExp): string {
  return text === '' ? '_' : text.replaceAll(notAllowed, '_');
}
