import type { Logger } from '../log.js';
import { duration } from '../options/amounts.js';
import { type ConnectionRequest, type Endpoint, endpointOf } from './config.js';
import { describe, type Failure } from './failure.js';
import { BOX_TIMES, type LinkTimes } from './link-times.js';

/**
 * One supervised connection to the broker. The same loop serves the first connection and every later one: each attempt
 * makes a new session, every wait is bounded, and nothing throws. Any error on a connection ends the whole connection.
 */

/** What an attempt has opened on its connection. */
export interface Session {
  /** Closes it in an orderly way. On a dead connection this may throw, or never call `done`. */
  close(done: () => void): void;
  /** Frees what is left once the socket has gone. */
  release(): void;
}

/** Callbacks that report the progress of an attempt; each may come late, or more than once. */
export interface Opened<S extends Session> {
  /** From now on there is a session that has to be ended. */
  made(session: Session): void;
  up(session: S): void;
  fail(error: unknown): void;
}

export interface LinkOptions<S extends Session> {
  /** `control` or `statistics`; part of log messages and of the connection's name. */
  readonly name: string;
  readonly uris: readonly string[];
  readonly request: Pick<ConnectionRequest, 'exchange' | 'connectionName' | 'site' | 'heartbeatSec'>;
  /** Opens a connection; may throw. */
  readonly open: (request: ConnectionRequest, opened: Opened<S>) => void;
  /** Called when the connection is up, to start using it. Call `fail` to end it, and `done` once it is ready. */
  readonly up: (session: S, fail: (error: unknown) => void, done: () => void) => void;
  /** Called when the connection is down again, once for every `up`. */
  readonly down: () => void;
  /** Called when a connection has failed or could not be made. */
  readonly failed?: (failure: Failure) => void;
  /** Whether another link has already warned of this failure. */
  readonly told?: (failure: Failure) => boolean;
  /** The end of a warning: what happens next. @default 'retrying in the background' */
  readonly remedy?: string;
  /** @default BOX_TIMES */
  readonly times?: LinkTimes;
  readonly log: Logger;
}

export interface LinkState {
  readonly state: 'connecting' | 'up' | 'down';
  /** `host:port/vhost` of the present connection or the last attempt. */
  readonly broker: string;
  /** Successful connections so far. */
  readonly connections: number;
  readonly lastError: string | null;
}

/** Shortest wait before another attempt. */
const BACKOFF_MIN_MS = 50;
/** A connection that lasted this long was good: after it, failures are counted and logged afresh. */
const STABLE_MS = 5_000;
const SHUTDOWN_MS = 1_000;
/** Stands in the set of logged kinds of failures once the recovery has been logged. */
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
  readonly #times: LinkTimes;
  readonly #warned = new Set<string>();
  #state: LinkState['state'] = 'connecting';
  #endpoint = 0;
  #connections = 0;
  #failures = 0;
  /** Consecutive ones. */
  #permanentFailures = 0;
  /** Whether someone has to act after the last failure, for example because the exchange could not even be declared. */
  #hopeless = false;
  #declare = false;
  #lastFailure: Failure | null = null;
  #current: Attempt | null = null;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(options: LinkOptions<S>) {
    this.#options = options;
    this.#times = options.times ?? BOX_TIMES;
    this.#endpoints = options.uris.map(endpointOf);
  }

  /** Connects, and reconnects until `close`. Does nothing after `close`. */
  start(): void {
    if (this.#endpoints.length > 0) void this.#run();
  }

  get state(): LinkState {
    const { shown } = this.#endpoints[this.#endpoint] ?? { shown: 'none' };
    const lastError = this.#lastFailure?.text ?? null;
    return { state: this.#state, broker: shown, connections: this.#connections, lastError };
  }

  /**
   * The link is down, and no retry with any host will help until someone has acted, for example on a wrong password.
   */
  get hopeless(): boolean {
    return this.#state !== 'up' && this.#permanentFailures >= this.#endpoints.length;
  }

  /** Ends the present connection, if any, and opens a new one at once. */
  restart(error: unknown): void {
    this.#current?.end(error);
  }

  /** Cuts the wait before the next attempt short. */
  hurry(): void {
    this.#wake?.();
  }

  /** Ends the link: in an orderly way if that takes at most `graceMs`, else by destroying the socket. */
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

  /** One connection from the first packet to its end; resolves with the reason for the end. */
  async #connection(endpoint: Endpoint): Promise<unknown> {
    const attempt: Attempt = { abort: new AbortController(), session: null, end: () => {} };
    this.#current = attempt;
    const timeoutMs = this.#times.attemptMs(this.#failures);
    const { readyMs } = this.#times;
    let isUp = false;
    let timer: NodeJS.Timeout | undefined;
    const error = await new Promise<unknown>((resolve) => {
      attempt.end = resolve;
      const allow = (ms: number) => {
        clearTimeout(timer);
        timer = setTimeout(() => resolve(new Error(`no answer within ${duration(ms)}`)), ms).unref();
      };
      const made = () => {
        if (readyMs !== undefined && this.#current === attempt) allow(readyMs);
      };
      allow(timeoutMs);
      this.#open(attempt, endpoint, timeoutMs, made, (session) => {
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
    // A failed connection gets no orderly end, because it may not be able to answer any more.
    if (!this.#closed) void dispose(attempt, 0);
    return error;
  }

  #open(attempt: Attempt, endpoint: Endpoint, timeoutMs: number, made: () => void, up: (session: S) => void): void {
    const { request, open } = this.#options;
    const { signal } = attempt.abort;
    try {
      open(
        { ...request, endpoint, timeoutMs, signal, declare: this.#declare },
        {
          made(session) {
            attempt.session = session;
            // The attempt has timed out meanwhile, or the link was closed.
            if (signal.aborted) session.release();
            else made();
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
    // The next attempt declares a missing exchange, without a wait. If that did not help, it is a failure like others.
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

  /**
   * Uses the broker's own name for our login, if it told one, as our `user_id` from now on.
   * @returns whether it is new
   */
  #rename({ sender }: Failure): boolean {
    const endpoint = this.#endpoints[this.#endpoint]!;
    if (sender === undefined || endpoint.sender === sender) return false;
    this.#endpoints[this.#endpoint] = { ...endpoint, sender };
    return true;
  }

  /** Exponential backoff with full jitter, up to the cap. Between the hosts of a list there is no wait. */
  #delayMs(): number {
    if (this.#failures === 0) return 0;
    const rounds = Math.floor(this.#failures / this.#endpoints.length);
    if (this.#failures % this.#endpoints.length !== 0) return 0;
    const ceilingMs = this.#times.waitMs(rounds, this.#hopeless || this.#lastFailure?.slow === true);
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

/**
 * Ends what an attempt has opened: in an orderly way within `graceMs`, else by destroying the socket. Never rejects.
 */
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
      done(); // IllegalOperationError: the connection is dead, so there is nothing left to end
    }
  });
}
