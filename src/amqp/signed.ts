import { compactVerify, decodeProtectedHeader } from 'jose';
import type { Logger } from '../log.js';
import type { Requester } from '../model/types.js';
import { matchesPattern } from '../options/control.js';
import type { JobIdentity } from '../options/spec.js';
import { quote } from '../options/words.js';
import type { Admitted, Gate } from './gate.js';
import { repeatedKey } from './lenient-json.js';
import {
  BODY_KEYS,
  type CommandRequest,
  type Delivery,
  ownFields,
  parseMessage,
  type Refusal,
  readRequest,
  readText,
  refuse,
  replayed,
  requesterOf,
} from './message.js';
import { isKeyId, type PublicKey, publicKeyProblems, readPublicKey } from './public-keys.js';

/**
 * `--control-auth signed`: the body is a compact JWS (RFC 7515), signed with a key of `--control-keys`. This is a
 * bundle of its own, which only boxes with that option load.
 *
 * Somebody who has seen a command cannot use it again. Its claims name the boxes that it is for (`target`), the time in
 * which it is valid (`iat`, `exp`), and the command itself (`jti`), and a box takes each command only once. A box
 * refuses a command that was signed before the box started, so the next run of the same job does not take it either.
 */

/** The name in RFC 8037, and the newer one in RFC 9864. Whichever a header gives, we only use Ed25519 keys. */
const ALGORITHMS = ['EdDSA', 'Ed25519'];
const CLAIMS = [...BODY_KEYS, 'iat', 'exp', 'jti'];
/** Longest time from `iat` to `exp`. */
export const LIFETIME_MAX_SEC = 300;
/** Allowed difference between the signer's clock and ours. */
export const SKEW_SEC = 30;
/**
 * How long a command that was seen could still be given again. Measured by the monotonic clock, which nobody can set.
 */
const REMEMBER_MS = (LIFETIME_MAX_SEC + 2 * SKEW_SEC) * 1000;
const REMEMBERED_MAX = 10_000;
const JTI_MAX_CHARACTERS = 128;
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const UNKNOWN = 'the signature was not made with a key that this box knows';

export interface SignedOptions {
  readonly folder: string;
  readonly identity: JobIdentity;
  readonly log: Logger;
  /** Realtime clock, ms. @default Date.now */
  readonly nowMs?: () => number;
  /** How many commands of the last six minutes are remembered; further ones are refused. @default 10000 */
  readonly rememberedMax?: number;
  /** Monotonic clock, ms. @default performance.now */
  readonly monotonicMs?: () => number;
}

/** A command that was admitted. */
interface Seen {
  /** Sender and id of its message; null if the message lacked one of them. */
  readonly message: string | null;
  readonly atMs: number;
}

export function signedGate(options: SignedOptions): Gate {
  const { folder, identity, log, nowMs = Date.now, monotonicMs = () => performance.now() } = options;
  const { rememberedMax = REMEMBERED_MAX } = options;
  const startedSec = Math.floor(nowMs() / 1000);
  const seen = new Map<string, Seen>();
  void publicKeyProblems(folder).then((problems) => {
    for (const problem of problems) log.warn(`control-keys: ${problem}`);
  });

  const decide = async (delivery: Delivery): Promise<Admitted> => {
    const by = requesterOf(delivery.properties);
    const text = readText(delivery, nowMs());
    if (typeof text !== 'string') return { outcome: text, by };
    if (!COMPACT.test(text)) return { outcome: unsigned(delivery, identity, nowMs()), by };
    const verified = await verifiedIn(delivery, folder, text);
    if (typeof verified === 'string') return { outcome: refuse('bad_signature', UNKNOWN, '', null, verified), by };
    const { key, payload } = verified;
    return { outcome: admit(key, payload, by), by: { ...by, key: key.id, signer: key.name } };
  };

  /** Once the signature is good: checks that the command is for this box, current, permitted and new. */
  const admit = (key: PublicKey, payload: string, by: Requester): Admitted['outcome'] => {
    const claims = readClaims(payload);
    if (typeof claims === 'string') return refuse('bad_message', claims);
    const request = readRequest(claims.fields, identity);
    if (request.kind !== 'request') return request;
    const { name, args } = request;
    const time = timeProblem(claims, nowMs() / 1000, startedSec);
    if (time !== undefined) return refuse('expired', time, name, args);
    const may =
      key.owners.some((pattern) => matchesPattern(pattern, identity.user)) &&
      key.commands.some((pattern) => matchesPattern(pattern, name));
    if (!may) return refuse('forbidden', `key "${key.id}" may not give this command to this box`, name, args);
    return once(`${key.id}\0${claims.jti}`, request, by);
  };

  const once = (id: string, request: CommandRequest, by: Requester): CommandRequest | Refusal => {
    const now = monotonicMs();
    for (const [old, { atMs }] of seen) {
      if (now - atMs <= REMEMBER_MS) break;
      seen.delete(old);
    }
    const known = by.user !== undefined && by.messageId !== undefined;
    const message = known ? `${by.user}\0${by.messageId}` : null;
    const before = seen.get(id);
    if (before !== undefined) {
      // If the same sender repeats the command, the message has the same id and a user_id that the broker has checked.
      return message !== null && before.message === message ? { ...request, repeated: true } : replayed(request);
    }
    if (seen.size >= rememberedMax) {
      const problem = `more than ${rememberedMax} signed commands within ${REMEMBER_MS / 1000} s: send it later`;
      return refuse('not_possible', problem, request.name, request.args);
    }
    seen.set(id, { message, atMs: now });
    return request;
  };

  // One after the other, because the decisions on two copies of a command must not overlap.
  let tail: Promise<unknown> = Promise.resolve();
  return (delivery) => {
    const decided = tail.then(() => decide(delivery));
    // The caller reports a rejection; the next decision only waits for the end of this one.
    tail = Promise.allSettled([decided]);
    return decided;
  };
}

/** The refusal of an unsigned command, with its name for the audit trail; a command for other boxes is ignored. */
function unsigned(delivery: Delivery, identity: JobIdentity, nowMs: number): Admitted['outcome'] {
  const plain = parseMessage(delivery, identity, nowMs);
  if (plain.kind === 'ignored') return plain;
  const [name, args] = plain.kind === 'request' ? [plain.name, plain.args] : ['', null];
  return refuse('not_signed', 'this box takes only signed commands: proc_box ctl --sign-key', name, args);
}

type Verified = { readonly key: PublicKey; readonly payload: string } | string;

/** By delivery and folder of keys, for the boxes of a node's link. */
const verifications = new WeakMap<Delivery, Map<string, Promise<Verified>>>();

function verifiedIn(delivery: Delivery, folder: string, text: string): Promise<Verified> {
  const byFolder = verifications.get(delivery) ?? new Map<string, Promise<Verified>>();
  verifications.set(delivery, byFolder);
  const verified = byFolder.get(folder) ?? verify(folder, text);
  byFolder.set(folder, verified);
  return verified;
}

/** @returns the key and the signed text, or why the signature is not valid, which the sender must not learn */
async function verify(folder: string, text: string): Promise<Verified> {
  try {
    const { alg, kid } = decodeProtectedHeader(text);
    if (typeof alg !== 'string' || !ALGORITHMS.includes(alg)) return `the algorithm is ${JSON.stringify(alg)}`;
    if (!isKeyId(kid)) return 'the header has no key id ("kid") of at most 64 letters, digits, ".", "_", "-"';
    const key = await readPublicKey(folder, kid);
    const { payload } = await compactVerify(text, { ...key.jwk }, { algorithms: ALGORITHMS });
    return { key, payload: new TextDecoder('utf-8', { fatal: true }).decode(payload) };
  } catch (error) {
    // JWSInvalid, JWSSignatureVerificationFailed, or a key that cannot be read: in any case the signature is not valid.
    return (error as Error).message.slice(0, 200);
  }
}

interface Claims {
  readonly fields: Readonly<Record<string, unknown>>;
  /** NumericDate: seconds since the epoch. */
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
}

/** @returns the claims, or what is wrong with them */
function readClaims(payload: string): Claims | string {
  let body: unknown;
  try {
    body = JSON.parse(payload);
  } catch {
    // SyntaxError
    return 'the signed text is not JSON';
  }
  const twice = repeatedKey(payload);
  if (twice !== undefined) return `the signed text has the key ${quote(twice)} twice`;
  const fields = ownFields(body, CLAIMS);
  if (typeof fields === 'string') return `the signed text ${fields}`;
  const { iat, exp, jti, target } = fields;
  if (typeof iat !== 'number' || typeof exp !== 'number') return 'the claims need iat and exp, seconds since the epoch';
  if (exp <= iat || exp - iat > LIFETIME_MAX_SEC) return `exp must be at most ${LIFETIME_MAX_SEC} s after iat`;
  if (typeof jti !== 'string' || jti === '' || jti.length > JTI_MAX_CHARACTERS) {
    return `the claims need jti, a string of at most ${JTI_MAX_CHARACTERS} characters that is new for each command`;
  }
  if (typeof target !== 'object' || target === null) {
    return 'the claims need target, which names the boxes that the command is for: {"job": "1234"}, or {} for every box';
  }
  return { fields, iat, exp, jti };
}

function timeProblem({ iat, exp }: Claims, nowSec: number, startedSec: number): string | undefined {
  if (iat > nowSec + SKEW_SEC) return `it was signed ${Math.ceil(iat - nowSec)} s in the future: set the clocks`;
  if (exp < nowSec - SKEW_SEC) return 'its time (exp) is over';
  if (iat < startedSec) return 'it was signed before this box started: sign it again';
  return undefined;
}
