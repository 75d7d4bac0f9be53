import type { Logger } from '../log.js';
import { type ConnectionRequest, type Endpoint, endpointOf, type RascalConfig } from './config.js';
import { describe, type Failure } from './failure.js';
import { type Broker, createBroker } from './rascal.js';

/**
 * One supervised connection. One loop serves the first connection and every later one: a new rascal broker object per
 * attempt, a bound on everything, and nothing that is thrown. Whatever goes wrong with a connection ends it as a whole;
 * rascal's own recovery is off, because it can spin, go deaf or hang (docs/broker.md).
 */

export interface LinkOptions {
  /** `control` or `statistics`; part of messages and of the connection's name. */
  readonly name: string;
  readonly uris: readonly string[];
  readonly request: Pick<ConnectionRequest, 'exchange' | 'connectionName' | 'site'>;
  readonly configure: (request: ConnectionRequest) => RascalConfig;
  /** The connection is there: take it into use. `fail` ends it; `done` says that it is ready. */
  readonly up: (broker: Broker, fail: (error: unknown) => void, done: () => void) => void;
  /** It is not there any more. Called once for every `up`. */
  readonly down: () => void;
  /** A connection failed, or could not be made. */
  readonly failed?: (failure: Failure) => void;
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
  broker: Broker | null;
  /** Ends the attempt or the connection; only the first call counts. */
  end: (error: unknown) => void;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #endpoints: readonly Endpoint[];
  readonly #warned = new Set<string>();
  #state: LinkState['state'] = 'connecting';
  #endpoint = 0;
  #connections = 0;
  #failures = 0;
  /** In a row. */
  #permanentFailures = 0;
  #declare = false;
  #lastFailure: Failure | null = null;
  #current: Attempt | null = null;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(options: LinkOptions) {
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
    const attempt: Attempt = { abort: new AbortController(), broker: null, end: () => {} };
    this.#current = attempt;
    const timeoutMs = (this.#failures + 1) % LONG_ATTEMPT_EVERY === 0 ? LONG_ATTEMPT_MS : ATTEMPT_MS;
    let isUp = false;
    let timer: NodeJS.Timeout | undefined;
    const error = await new Promise<unknown>((resolve) => {
      attempt.end = resolve;
      timer = setTimeout(() => resolve(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs).unref();
      const config = this.#options.configure({
        ...this.#options.request,
        endpoint,
        timeoutMs,
        signal: attempt.abort.signal,
        declare: this.#declare,
      });
      open(attempt, config, (broker) => {
        if (this.#current !== attempt || this.#closed) return;
        isUp = true;
        this.#options.up(broker, attempt.end, () => {
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
    this.#permanentFailures = failure.permanent ? this.#permanentFailures + 1 : 0;
    // A missing exchange is put right at once, but only once in a row: where declaring does not help, that is a failure.
    const fixable = failure.missingExchange && !this.#declare;
    this.#declare = failure.missingExchange;
    if (!fixable) this.#failures++;
    const { log, name } = this.#options;
    if (fixable || this.#warned.has(failure.kind)) log.debug(`${name}: ${failure.text}`);
    else {
      this.#warned.add(failure.kind);
      log.warn(`${name}: ${failure.text}; retrying in the background`);
    }
    if (!fixable) this.#endpoint = (this.#endpoint + 1) % this.#endpoints.length;
    this.#options.failed?.(failure);
  }

  /** Full jitter, doubling up to the cap; the other hosts of a list are tried without a wait. */
  #delayMs(): number {
    if (this.#declare && this.#failures === 0) return 0;
    const rounds = Math.floor(this.#failures / this.#endpoints.length);
    if (this.#failures % this.#endpoints.length !== 0) return 0;
    const capMs = this.#lastFailure?.permanent ? HOPELESS_CAP_MS : BACKOFF_CAP_MS;
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

/** Makes the connection and its topology; `up` is called at most once, a failure goes to `attempt.end`. */
function open(attempt: Attempt, config: RascalConfig, up: (broker: Broker) => void): void {
  try {
    createBroker(config, (error, broker) => {
      if (broker !== undefined) {
        attempt.broker = broker;
        // rascal: an 'error' without a listener ends the process.
        broker.on('error', (failure: unknown) => attempt.end(failure));
        broker.on('disconnect', () => setImmediate(() => attempt.end(new Error('Unexpected close'))));
        // Not answered by now, or not wanted any more.
        if (attempt.abort.signal.aborted) release(broker);
      }
      if (error) attempt.end(error);
      else if (broker !== undefined) up(broker);
    });
  } catch (error) {
    attempt.end(error);
  }
}

/** Ends what an attempt has opened: orderly within `graceMs`, then the socket is destroyed. Never rejects. */
function dispose(attempt: Attempt, graceMs: number): Promise<void> {
  const { broker, abort } = attempt;
  if (broker === null || graceMs <= 0) {
    abort.abort();
    if (broker !== null) release(broker);
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.min(graceMs, SHUTDOWN_MS));
    function done() {
      clearTimeout(timer);
      abort.abort();
      clearInterval(broker?.keepActive);
      resolve();
    }
    shutdown(broker, done);
  });
}

/** Lets go of rascal's timers and channel pools; the connection is already gone. */
function release(broker: Broker): void {
  clearInterval(broker.keepActive);
  shutdown(broker, () => clearInterval(broker.keepActive));
}

function shutdown(broker: Broker, done: () => void): void {
  try {
    broker.shutdown(() => done());
  } catch {
    // Channels of a dead connection throw IllegalOperationError: there is nothing left to end.
    done();
  }
}
