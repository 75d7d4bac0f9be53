import { CompactSign, importJWK } from 'jose';
import { isKeyId } from '../amqp/public-keys.js';
import { SpecError } from '../errors.js';

/** The body of a command message of `proc_box ctl`; of a signed one, the part of the claims that the user chooses. */
export interface CtlCommand {
  readonly command: string;
  readonly arguments?: readonly string[];
  readonly target?: Readonly<Record<string, string | undefined>>;
}

/** A private Ed25519 key, as a JWK: RFC 8037. Never log it. */
export interface SignKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly d: string;
  readonly kid: string;
}

/**
 * Bounds for how long a signed command is valid. It must outlast the wait for answers and differences between clocks.
 */
const LIFETIME_MIN_SEC = 60;
const LIFETIME_MAX_SEC = 300;

/** @throws SpecError, whose message repeats no part of the text */
export function parseSignKey(text: string, origin: string): SignKey {
  const fail = (problem: string, cause?: unknown): never => {
    throw new SpecError(`${origin}: ${problem}: expected the file <key id>.key of "proc_box ctl keygen"`, { cause });
  };
  let jwk: Record<string, unknown> | null = null;
  try {
    jwk = JSON.parse(text);
  } catch (cause) {
    fail('it is not JSON', cause);
  }
  const { kty, crv, x, d, kid } = jwk ?? {};
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') return fail('it is not an Ed25519 key');
  if (typeof d !== 'string') return fail('it is a public key');
  if (!isKeyId(kid)) return fail('it has no key id ("kid")');
  return { kty, crv, x, d, kid };
}

/** Makes a compact JWS of the command. @param id `jti` of the command. @throws SpecError if the key cannot sign */
export async function signCommand(command: CtlCommand, key: SignKey, id: string, waitMs: number): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  const lifetimeSec = Math.min(LIFETIME_MAX_SEC, Math.max(LIFETIME_MIN_SEC, Math.ceil(waitMs / 1000)));
  const claims = { ...command, iat, exp: iat + lifetimeSec, jti: id };
  try {
    return await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'EdDSA', kid: key.kid })
      .sign(await importJWK({ ...key }, 'EdDSA'));
  } catch (cause) {
    throw new SpecError(`--sign-key: key "${key.kid}" cannot sign: is the file complete?`, { cause });
  }
}
