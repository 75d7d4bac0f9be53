import type { Logger } from '../log.js';
import { redactUri } from '../options/uri.js';
import type { Binder, BindingKey, ControlSession } from './control-session.js';
import { TokenBucket } from './token-bucket.js';

/** Keys that are bound at once. After a refusal they are bound one by one, to find the one that is refused. */
const BATCH = 256;
const REFUSED_RETRY_MS = 30_000;
/** A key that nobody needs any more stays bound for a while, since the next box of the user may need it. */
const UNBIND_AFTER_MS = 30_000;
const UNBIND_PER_SEC = 10;
const WARNINGS_MAX = 100;

export interface BindingsOptions {
  /** Most bindings for single jobs and boxes. */
  readonly lateMax: number;
  /** @default 30000 */
  readonly unbindAfterMs?: number;
  readonly log: Logger;
}

export interface BindingCounts {
  /** Keys that boxes need. */
  readonly wanted: number;
  readonly bound: number;
  /** Keys beyond the bound for single jobs and boxes, and keys that the broker refuses. */
  readonly leftOut: number;
  readonly refused: number;
}

interface Binding extends BindingKey {
  /** Boxes that need it. */
  users: number;
  /** For single jobs and boxes. */
  readonly late: boolean;
  state: 'wanted' | 'asked' | 'bound' | 'left out' | 'refused';
  /** When nobody has needed it any more. */
  idleAtMs: number;
}

/** The binding keys of a node's queue: which ones its boxes need, and which ones the broker has. */
export class Bindings {
  readonly #options: Required<BindingsOptions>;
  readonly #bindings = new Map<string, Binding>();
  readonly #toBind = new Set<Binding>();
  /** Keys of a batch that was refused. */
  #suspects: Binding[] = [];
  readonly #toUnbind = new Set<Binding>();
  readonly #unbindRate = new TokenBucket(UNBIND_PER_SEC, 1);
  readonly #leftOut = new Set<Binding>();
  readonly #refused = new Set<Binding>();
  readonly #warned = new Set<string>();
  /** Exchanges that were looked up on this connection, with the error of those that cannot be used. */
  readonly #exchanges = new Map<string, unknown>();
  #late = 0;
  #bound = 0;
  #wanted = 0;
  #session: ControlSession | undefined;
  #binder: Binder | undefined;
  #busy = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(options: BindingsOptions) {
    this.#options = { unbindAfterMs: UNBIND_AFTER_MS, ...options };
  }

  get counts(): BindingCounts {
    return { wanted: this.#wanted, bound: this.#bound, leftOut: this.#leftOut.size, refused: this.#refused.size };
  }

  /** Whether every key that may be bound is bound, or refused. */
  get isSettled(): boolean {
    return this.#session !== undefined && this.#toBind.size + this.#suspects.length === 0 && !this.#busy;
  }

  has({ exchange, key }: BindingKey): boolean {
    return this.#bindings.has(idOf(exchange, key));
  }

  /** One more box needs these keys. @param late they are for single jobs and boxes */
  want(exchange: string, keys: readonly string[], late: boolean): void {
    for (const key of keys) this.#want(exchange, key, late);
    this.#pump();
  }

  /** One box less needs these keys. */
  release(exchange: string, keys: readonly string[]): void {
    for (const key of keys) this.#release(idOf(exchange, key));
    this.#pump();
  }

  /** There is a new queue, which has no bindings. */
  attach(session: ControlSession): void {
    this.detach();
    this.#session = session;
    for (const [id, binding] of this.#bindings) {
      if (binding.users === 0) this.#forget(id, binding);
      else if (binding.state !== 'left out') this.#again(binding);
    }
    this.#pump();
  }

  /** The queue has gone, and so have its bindings. */
  detach(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#idleTimer);
    this.#retryTimer = undefined;
    this.#session = undefined;
    this.#binder = undefined;
    this.#busy = false;
    this.#bound = 0;
    this.#suspects = [];
    this.#exchanges.clear();
    for (const set of [this.#toBind, this.#toUnbind, this.#refused]) set.clear();
  }

  /** The exchange was deleted, and with it the bindings. */
  rebind(exchange: string): void {
    this.#exchanges.delete(exchange);
    for (const binding of this.#bindings.values()) {
      if (binding.exchange !== exchange || binding.state !== 'bound') continue;
      this.#bound--;
      this.#again(binding);
    }
    this.#pump();
  }

  #want(exchange: string, key: string, late: boolean): void {
    const id = idOf(exchange, key);
    const present = this.#bindings.get(id);
    if (present !== undefined) {
      if (present.users++ === 0) this.#wanted++;
      this.#toUnbind.delete(present);
      return;
    }
    const binding: Binding = { exchange, key, users: 1, late, state: 'wanted', idleAtMs: 0 };
    this.#bindings.set(id, binding);
    this.#wanted++;
    if (late && this.#late >= this.#options.lateMax) this.#leaveOut(binding);
    else {
      if (late) this.#late++;
      this.#again(binding);
    }
  }

  #release(id: string): void {
    const binding = this.#bindings.get(id);
    if (binding === undefined || --binding.users > 0) return;
    this.#wanted--;
    if (binding.state !== 'bound' && binding.state !== 'asked') return this.#forget(id, binding);
    if (binding.state === 'asked') return;
    binding.idleAtMs = performance.now();
    this.#toUnbind.add(binding);
  }

  #leaveOut(binding: Binding): void {
    binding.state = 'left out';
    this.#leftOut.add(binding);
    this.#warn(
      'left out',
      `control: the node has ${this.#options.lateMax} bindings of single jobs and boxes, and makes no more: commands reach further boxes by the key of the host or user, with "target"`,
    );
  }

  #again(binding: Binding): void {
    binding.state = 'wanted';
    if (this.#session !== undefined) this.#toBind.add(binding);
  }

  #forget(id: string, binding: Binding): void {
    this.#bindings.delete(id);
    for (const set of [this.#toBind, this.#toUnbind, this.#refused]) set.delete(binding);
    this.#suspects = this.#suspects.filter((other) => other !== binding);
    if (this.#leftOut.delete(binding) || !binding.late) return;
    this.#late--;
    const [next] = this.#leftOut;
    if (next === undefined) return;
    this.#leftOut.delete(next);
    this.#late++;
    this.#again(next);
  }

  #pump(): void {
    const session = this.#session;
    if (session === undefined || this.#busy) return;
    const [first] = this.#suspects.length > 0 ? this.#suspects : this.#toBind;
    if (first !== undefined) {
      if (!this.#exchanges.has(first.exchange)) return this.#findExchange(session, first.exchange);
      const error = this.#exchanges.get(first.exchange);
      if (error) {
        this.#refuseAll(first.exchange, error);
        return this.#pump();
      }
    }
    const binder = this.#binder;
    if (first === undefined && this.#toUnbind.size === 0) return;
    if (binder === undefined) return this.#open(session);
    if (first !== undefined) return this.#bind(session, binder, this.#batch(first));
    const idle = this.#nextIdle();
    if (idle !== undefined) this.#unbind(session, binder, idle);
  }

  /** A suspect alone, or keys of one exchange. */
  #batch({ exchange }: Binding): Binding[] {
    const suspect = this.#suspects.shift();
    const batch = suspect === undefined ? [] : [suspect];
    for (const binding of this.#toBind) {
      if (suspect !== undefined || batch.length === BATCH) break;
      if (binding.exchange === exchange) batch.push(binding);
    }
    for (const binding of batch) {
      this.#toBind.delete(binding);
      binding.state = 'asked';
    }
    return batch;
  }

  /** Runs one request; its answer means nothing once the session has ended. */
  #run(
    session: ControlSession,
    request: (done: (error: unknown) => void) => void,
    then: (error: unknown) => void,
  ): void {
    this.#busy = true;
    let isDone = false;
    request((error) => {
      if (isDone || this.#session !== session) return;
      isDone = true;
      this.#busy = false;
      then(error);
      // Deferred, since a request on a closed channel fails at once.
      setImmediate(() => this.#pump());
    });
  }

  #open(session: ControlSession): void {
    this.#run(
      session,
      (done) =>
        session.openBinder((error, binder) => {
          if (this.#session === session) this.#binder = binder;
          done(error);
        }),
      (error) => {
        // The connection has ended; the next one begins anew.
        if (error) this.#session = undefined;
      },
    );
  }

  #findExchange(session: ControlSession, exchange: string): void {
    this.#run(
      session,
      (done) => session.ensureExchange(exchange, done),
      (error) => {
        this.#exchanges.set(exchange, error);
        if (error) this.#refuseAll(exchange, error);
      },
    );
  }

  #refuseAll(exchange: string, error: unknown): void {
    const all = [...this.#suspects, ...this.#toBind].filter((binding) => binding.exchange === exchange);
    this.#suspects = this.#suspects.filter((binding) => binding.exchange !== exchange);
    for (const binding of all) this.#refuse(binding, error);
  }

  #bind(session: ControlSession, binder: Binder, batch: readonly Binding[]): void {
    this.#run(
      session,
      (done) => binder.bindAll(batch, done),
      (error) => {
        if (error) this.#binder = undefined;
        if (!error) for (const binding of batch) this.#made(binding);
        else if (batch.length === 1) this.#refuse(batch[0]!, error);
        else this.#suspects.push(...batch);
      },
    );
  }

  #made(binding: Binding): void {
    binding.state = 'bound';
    this.#bound++;
    if (binding.users > 0) return;
    binding.idleAtMs = performance.now();
    this.#toUnbind.add(binding);
  }

  #refuse(binding: Binding, error: unknown): void {
    this.#toBind.delete(binding);
    if (binding.users === 0) return this.#forget(idOf(binding.exchange, binding.key), binding);
    binding.state = 'refused';
    this.#refused.add(binding);
    const { exchange, key } = binding;
    const { code, message } = error as Error & { code?: unknown };
    const why = /"([A-Z_]+ - [^"]*)"/.exec(message)?.[1] ?? message;
    this.#warn(
      `${code} ${exchange}`,
      `control: the broker does not bind key "${key}" at exchange "${exchange}": ${redactUri(why)}; commands with such keys do not arrive`,
    );
    this.#retryTimer ??= setTimeout(() => this.#retry(), REFUSED_RETRY_MS).unref();
  }

  #retry(): void {
    this.#retryTimer = undefined;
    for (const binding of this.#refused) {
      this.#exchanges.delete(binding.exchange);
      this.#again(binding);
    }
    this.#refused.clear();
    this.#pump();
  }

  #nextIdle(): Binding | undefined {
    const [oldest] = this.#toUnbind;
    if (oldest === undefined) return undefined;
    const leftMs = oldest.idleAtMs + this.#options.unbindAfterMs - performance.now();
    if (leftMs > 0) this.#wakeIn(leftMs);
    else if (this.#unbindRate.take()) return oldest;
    else this.#wakeIn(this.#unbindRate.waitMs);
    return undefined;
  }

  #unbind(session: ControlSession, binder: Binder, binding: Binding): void {
    this.#toUnbind.delete(binding);
    this.#bound--;
    binding.state = 'wanted';
    if (binding.users === 0) this.#forget(idOf(binding.exchange, binding.key), binding);
    this.#run(
      session,
      (done) => binder.unbind(binding, done),
      (error) => {
        if (error) this.#binder = undefined;
      },
    );
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#pump(), Math.ceil(ms)).unref();
  }

  #warn(kind: string, text: string): void {
    const isNew = !this.#warned.has(kind) && this.#warned.size < WARNINGS_MAX;
    if (isNew) this.#warned.add(kind);
    this.#options.log[isNew ? 'warn' : 'debug'](text);
  }
}

function idOf(exchange: string, key: string): string {
  return `${exchange}\0${key}`;
}
