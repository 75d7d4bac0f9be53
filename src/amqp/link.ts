import type { Logger } from '../log.js';
import { duration } from '../options/amounts.js';
import { type ConnectionRequest, type Endpoint, endpointOf } from './config.js';
import { describe, type Failure } from './failure.js';

/**
 * One supervised connection. One loop serves the first connection and every later one: a new session per attempt, a
 * bound on everything, and nothing that is thrown. Whatever goes wrong with a connection ends it as a whole.
 */

/** What was opened on a connection. */
export interface Session {
  /** Ends it in an orderly way; on a dead connection `done` may never be called, and it may throw. */
  close(done: () => void): void;
  /** Lets go of what is left beside the socket, which is gone. */
  release(): void;
}

/** How an attempt goes on; each may be called late, or more than once. */
export interface Opened<S extends Session> {
  /** There is something to end. */
  made(session: Session): void;
  up(session: S): void;
  fail(error: unknown): void;
}

export interface LinkOptions<S extends Session> {
  /** `control` or `statistics`; part of messages and of the connection's name. */
  readonly name: string;
  readonly uris: readonly string[];
  readonly request: Pick<ConnectionRequest, 'exchange' | 'connectionName' | 'site'>;
  /** Makes a connection; may throw. */
  readonly open: (request: ConnectionRequest, opened: Opened<S>) => void;
  /** The connection is there: take it into use. `fail` ends it; `done` says that it is ready. */
  readonly up: (session: S, fail: (error: unknown) => void, done: () => void) => void;
  /** It is not there any more. Called once for every `up`. */
  readonly down: () => void;
  /** A connection failed, or could not be made. */
  readonly failed?: (failure: Failure) => void;
  /** Somebody else has warned of it already. */
  readonly told?: (failure: Failure) => boolean;
  /** What goes on, for warnings. @default 'retrying in the background' */
  readonly remedy?: string;
  readonly log: Logger;
}

export interface LinkState {
  readonly state: 'connecting' | 'up' | 'down';
  /** `host:port/vhost` of the connection or of the last attempt. */
  readonly broker: string;
  /** Successful connections so far. */
  readonly connections: number;
  readonly lastError: string | null;
}

/** A broker that can be reached again is used again within the cap plus the time to connect: under 2 s. */
const BACKOFF_MIN_MS = 50;
const BACKOFF_CAP_MS = 1_500;
/** Where someone has to act first (a wrong password, a missing permission), asking often only loads the broker. */
const HOPELESS_CAP_MS = 30_000;
/** An attempt on a silent address is given up early, so that the next one meets a broker that is back. */
const ATTEMPT_MS = 2_000;
const LONG_ATTEMPT_MS = 10_000;
const LONG_ATTEMPT_EVERY = 4;
/** A connection that lasted so long was a good one: failures are counted, and warned of, from the start again. */
const STABLE_MS = 5_000;
const SHUTDOWN_MS = 1_000;
/** Among the kinds of failures that were warned of: that it was over has been said. */
const RECOVERED = 'recovered';

interface Attempt {
  readonly abort: AbortController;
  session: Session | null;
  /** Ends the attempt or the connection; only the first call counts. */
  end: (error: unknown) => void;
}

export class Link<S extends Session> {
  readonly #options: LinkOptions<S>;
  readonly #endpoints: Endpoint[];
  readonly #warned = new Set<string>();
  #state: LinkState['state'] = 'connecting';
  #endpoint = 0;
  #connections = 0;
  #failures = 0;
  /** In a row. */
  #permanentFailures = 0;
  /** Of the last failure: someone has to act. An exchange that could not even be declared is such a one. */
  #hopeless = false;
  #declare = false;
  #lastFailure: Failure | null = null;
  #current: Attempt | null = null;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(options: LinkOptions<S>) {
    this.#options = options;
    this.#endpoints = options.uris.map(endpointOf);
  }

  /** Connects, and keeps connecting until `close`. After it nothing. */
  start(): void {
    if (this.#endpoints.length > 0) void this.#run();
  }

  get state(): LinkState {
    const { shown } = this.#endpoints[this.#endpoint] ?? { shown: 'none' };
    const lastError = this.#lastFailure?.text ?? null;
    return { state: this.#state, broker: shown, connections: this.#connections, lastError };
  }

  /** Not up, and no retry with any of the hosts will help until someone has acted (wrong password, for example). */
  get hopeless(): boolean {
    return this.#state !== 'up' && this.#permanentFailures >= this.#endpoints.length;
  }

  /** Ends the present connection, if any, and makes a new one at once. */
  restart(error: unknown): void {
    this.#current?.end(error);
  }

  /** Ends the wait between two attempts. */
  hurry(): void {
    this.#wake?.();
  }

  /** Ends the connection in an orderly way if that takes at most `graceMs`, else at once. No new one is made. */
  async close(graceMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const attempt = this.#current;
    const wasUp = this.#state === 'up';
    this.#state = 'down';
    attempt?.end(null);
    this.#wake?.();
    if (attempt !== null) await dispose(attempt, wasUp ? graceMs : 0);
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const startedAtMs = performance.now();
      const endpoint = this.#endpoints[this.#endpoint]!;
      const error = await this.#connection(endpoint);
      if (this.#closed) return;
      this.#failed(error, endpoint, performance.now() - startedAtMs);
      const delayMs = this.#delayMs();
      if (delayMs > 0) await this.#pause(delayMs);
    }
  }

  /** One connection from the first packet to its end; resolves with what ended it. */
  async #connection(endpoint: Endpoint): Promise<unknown> {
    const attempt: Attempt = { abort: new AbortController(), session: null, end: () => {} };
    this.#current = attempt;
    const timeoutMs = (this.#failures + 1) % LONG_ATTEMPT_EVERY === 0 ? LONG_ATTEMPT_MS : ATTEMPT_MS;
    let isUp = false;
    let timer: NodeJS.Timeout | undefined;
    const error = await new Promise<unknown>((resolve) => {
      attempt.end = resolve;
      timer = setTimeout(() => resolve(new Error(`no answer within ${duration(timeoutMs)}`)), timeoutMs).unref();
      this.#open(attempt, endpoint, timeoutMs, (session) => {
        if (isUp || this.#current !== attempt || this.#closed) return;
        isUp = true;
        this.#options.up(session, attempt.end, () => {
          clearTimeout(timer);
          this.#ready(attempt, endpoint);
        });
      });
    });
    clearTimeout(timer);
    attempt.end = () => {};
    this.#current = null;
    if (isUp) this.#options.down();
    // A connection that failed is not asked to end in an orderly way: nothing says that it can still answer.
    if (!this.#closed) void dispose(attempt, 0);
    return error;
  }

  #open(attempt: Attempt, endpoint: Endpoint, timeoutMs: number, up: (session: S) => void): void {
    const { request, open } = this.#options;
    const { signal } = attempt.abort;
    try {
      open(
        { ...request, endpoint, timeoutMs, signal, declare: this.#declare },
        {
          made(session) {
            attempt.session = session;
            // Not answered by now, or not wanted any more.
            if (signal.aborted) session.release();
          },
          up,
          fail: (error) => attempt.end(error),
        },
      );
    } catch (error) {
      attempt.end(error);
    }
  }

  #ready(attempt: Attempt, endpoint: Endpoint): void {
    if (this.#current !== attempt || this.#closed) return;
    this.#state = 'up';
    this.#connections++;
    this.#permanentFailures = 0;
    this.#declare = false;
    const { log, name } = this.#options;
    const recovered = this.#warned.size > 0 && !this.#warned.has(RECOVERED);
    this.#warned.add(RECOVERED);
    log[recovered ? 'info' : 'debug'](`${name}: connected to broker ${endpoint.shown}`);
  }

  #failed(error: unknown, endpoint: Endpoint, lastedMs: number): void {
    const failure = describe(error, endpoint);
    if (this.#state === 'up' && lastedMs >= STABLE_MS) {
      this.#failures = 0;
      this.#warned.clear();
    }
    this.#state = 'down';
    this.#lastFailure = failure;
    const renamed = this.#rename(failure);
    // A missing exchange is put right at once, but only once in a row: where declaring does not help, that is a failure.
    const fixable = renamed || (failure.missingExchange && !this.#declare);
    this.#hopeless = failure.permanent || (failure.missingExchange && this.#declare);
    this.#permanentFailures = this.#hopeless ? this.#permanentFailures + 1 : 0;
    this.#declare = failure.missingExchange;
    if (!fixable) this.#failures++;
    const { log, name } = this.#options;
    if (fixable || this.#warned.has(failure.kind) || this.#options.told?.(failure) === true)
      log.debug(`${name}: ${failure.text}`);
    else {
      this.#warned.add(failure.kind);
      log.warn(`${name}: ${failure.text}; ${this.#options.remedy ?? 'retrying in the background'}`);
    }
    if (!fixable) this.#endpoint = (this.#endpoint + 1) % this.#endpoints.length;
    this.#options.failed?.(failure);
  }

  /** The broker has told its own name for our login: from now on that is our `user_id`. @returns whether that is new */
  #rename({ sender }: Failure): boolean {
    const endpoint = this.#endpoints[this.#endpoint]!;
    if (sender === undefined || endpoint.sender === sender) return false;
    this.#endpoints[this.#endpoint] = { ...endpoint, sender };
    return true;
  }

  /** Full jitter, doubling up to the cap; the other hosts of a list are tried without a wait. */
  #delayMs(): number {
    if (this.#failures === 0) return 0;
    const rounds = Math.floor(this.#failures / this.#endpoints.length);
    if (this.#failures % this.#endpoints.length !== 0) return 0;
    const capMs = this.#hopeless || this.#lastFailure?.slow ? HOPELESS_CAP_MS : BACKOFF_CAP_MS;
    const ceilingMs = Math.min(capMs, 200 * 2 ** Math.min(rounds - 1, 10));
    return BACKOFF_MIN_MS + Math.random() * (ceilingMs - BACKOFF_MIN_MS);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, delayMs).unref();
      this.#wake = done;
      function done() {
        clearTimeout(timer);
        resolve();
      }
    });
  }
}

/** Ends what an attempt has opened: orderly within `graceMs`, then the socket is destroyed. Never rejects. */
function dispose({ session, abort }: Attempt, graceMs: number): Promise<void> {
  if (session === null || graceMs <= 0) {
    abort.abort();
    session?.release();
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.min(graceMs, SHUTDOWN_MS));
    function done() {
      clearTimeout(timer);
      abort.abort();
      session?.release();
      resolve();
    }
    try {
      session.close(done);
    } catch {
      done(); // IllegalOperationError: of a dead connection there is nothing left to end
    }
  });
}
