import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AuthOptions } from '../options.js';
import { isLoopback } from '../options.js';

/** Who asks, and what they may do. */

export interface Viewer {
  /** Null if nobody says (`--auth none`). */
  readonly user: string | null;
  readonly operator: boolean;
  readonly mayCommand: boolean;
}

export type Access =
  | { readonly kind: 'viewer'; readonly viewer: Viewer }
  /** @param detail what to do about it */
  | { readonly kind: 'refused'; readonly status: 401 | 403; readonly detail: string };

export interface Peer {
  /** Of the other end of a TCP connection; undefined on a Unix socket. */
  readonly address: string | undefined;
  /** Of the process at the other end of a Unix socket, as the kernel says. */
  readonly uid: number | undefined;
}

export interface AccessOptions {
  readonly auth: AuthOptions;
  /** The token that the collector has made, if no file names tokens. */
  readonly token: string;
  /** The user that the collector runs as: the one who may read its token. */
  readonly self: string;
  readonly userName: (uid: number) => string | null;
}

export const TOKEN_COOKIE = 'proc_box_token';

export class AccessControl {
  readonly #options: AccessOptions;
  /** SHA-256 of each token, by which they are compared in constant time. */
  readonly #tokens: readonly { readonly digest: Buffer; readonly user: string }[];

  constructor(options: AccessOptions) {
    this.#options = options;
    const { auth, token, self } = options;
    const known = auth.tokens ?? new Map([[token, self]]);
    this.#tokens = [...known].map(([text, user]) => ({ digest: digestOf(text), user }));
  }

  of(request: Pick<IncomingMessage, 'headers'>, peer: Peer): Access {
    const { mode } = this.#options.auth;
    switch (mode) {
      case 'none':
        return this.#none(request);
      case 'socket':
        return this.#socket(peer);
      case 'proxy':
        return this.#proxy(request, peer);
      case 'token':
        return this.#token(request);
    }
  }

  /** @returns the user of the token; null if there is no such token */
  userOfToken(text: string): string | null {
    const digest = digestOf(text);
    let user: string | null = null;
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, digest)) user = known.user;
    return user;
  }

  /** A page of another site could have a name that resolves to a loopback address; there is no cookie that it lacks. */
  #none({ headers }: Pick<IncomingMessage, 'headers'>): Access {
    const host = (headers.host ?? 'localhost').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    if (host !== '' && !isLoopback(host))
      return refused(403, 'with --auth none, the collector answers only requests to localhost and loopback addresses');
    return { kind: 'viewer', viewer: { user: null, operator: true, mayCommand: false } };
  }

  #socket({ uid }: Peer): Access {
    const user = uid === undefined ? null : this.#options.userName(uid);
    return user === null
      ? refused(
          403,
          'the kernel does not report who you are: connect to the Unix socket from this host, as a user that has a name',
        )
      : this.#viewer(user);
  }

  #proxy({ headers }: Pick<IncomingMessage, 'headers'>, { address, uid }: Peer): Access {
    const { proxyFrom, proxyHeader } = this.#options.auth;
    const from = uid === undefined ? address?.replace(/^::ffff:/, '') : `user:${this.#options.userName(uid)}`;
    if (from === undefined || !proxyFrom.includes(from))
      return refused(403, 'connect through the proxy: --proxy-from does not list you');
    const name = headers[proxyHeader];
    // Node joins a header that came twice with a comma, or lists it: then somebody else has written a part of it.
    if (typeof name !== 'string' || !/^[^\s,:/]{1,256}$/.test(name))
      return refused(401, `the proxy did not name exactly one user in the header ${proxyHeader}`);
    return this.#viewer(name);
  }

  #token({ headers }: Pick<IncomingMessage, 'headers'>): Access {
    const bearer = /^(?:Bearer|token) (\S+)$/i.exec(headers.authorization ?? '')?.[1];
    const user = this.userOfToken(bearer ?? cookieOf(headers.cookie) ?? '');
    return user === null
      ? refused(
          401,
          'open the address with the token that the collector printed, or send it as "Authorization: Bearer <token>"',
        )
      : this.#viewer(user);
  }

  #viewer(user: string): Access {
    const { auth, self } = this.#options;
    const isSelf = user === self && (auth.mode === 'socket' || (auth.mode === 'token' && auth.tokens === null));
    return { kind: 'viewer', viewer: { user, operator: isSelf || auth.operators.has(user), mayCommand: true } };
  }
}

function cookieOf(header: string | undefined): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const [name, value] = part.trim().split('=');
    if (name === TOKEN_COOKIE) return value;
  }
  return undefined;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function refused(status: 401 | 403, detail: string): Access {
  return { kind: 'refused', status, detail };
}

/** A page of another site must not be able to send commands with the cookie or the login of whoever looks at it. */
export function isCrossSite({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const site = headers['sec-fetch-site'];
  if (typeof site === 'string') return site !== 'same-origin';
  const { origin, host } = headers;
  if (origin === undefined) return false; // no browser
  return !URL.canParse(origin) || new URL(origin).host !== (headers['x-forwarded-host'] ?? host);
}
