import type { Logger } from '../log.js';
import { redactUri } from '../options/uri.js';
import type { BindingKey, ControlSession } from './control-session.js';
import { QueueBinder } from './queue-binder.js';
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
  #late = 0;
  #bound = 0;
  #wanted = 0;
  #binder: QueueBinder | undefined;
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
    return this.#binder?.isBusy === false && this.#toBind.size + this.#suspects.length === 0;
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
    this.#binder = new QueueBinder(session, () => this.#pump());
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
    this.#binder?.end();
    this.#binder = undefined;
    this.#bound = 0;
    this.#suspects = [];
    for (const set of [this.#toBind, this.#toUnbind, this.#refused]) set.clear();
  }

  /** The exchange was deleted, and with it the bindings. */
  rebind(exchange: string): void {
    this.#binder?.forget(exchange);
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
    if (this.#binder !== undefined) this.#toBind.add(binding);
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
    const binder = this.#binder;
    if (binder === undefined || binder.isBusy) return;
    const [first] = this.#suspects.length > 0 ? this.#suspects : this.#toBind;
    if (first === undefined) {
      const idle = this.#nextIdle();
      if (idle !== undefined) this.#unbind(binder, idle);
      return;
    }
    const { exchange } = first;
    if (!binder.hasLookedUp(exchange)) return binder.lookUp(exchange);
    const problem = binder.problemWith(exchange);
    if (!problem) return this.#bind(binder, this.#batch(first));
    this.#refuseAll(exchange, problem);
    this.#pump();
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

  #refuseAll(exchange: string, error: unknown): void {
    const all = [...this.#suspects, ...this.#toBind].filter((binding) => binding.exchange === exchange);
    this.#suspects = this.#suspects.filter((binding) => binding.exchange !== exchange);
    for (const binding of all) this.#refuse(binding, error);
  }

  #bind(binder: QueueBinder, batch: readonly Binding[]): void {
    binder.bind(batch, (error) => {
      if (!error) for (const binding of batch) this.#made(binding);
      else if (batch.length === 1) this.#refuse(batch[0]!, error);
      else this.#suspects.push(...batch);
    });
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
      this.#binder?.forget(binding.exchange);
      this.#again(binding);
    }
    this.#refused.clear();
    this.#pump();
  }

  #nextIdle(): Binding | undefined {
    const [oldest] = this.#toUnbind;
    if (oldest === undefined) return undefined;
    const afterMs = this.#leftOut.size > 0 ? 0 : this.#options.unbindAfterMs;
    const leftMs = oldest.idleAtMs + afterMs - performance.now();
    if (leftMs > 0) this.#wakeIn(leftMs);
    else if (this.#unbindRate.take()) return oldest;
    else this.#wakeIn(this.#unbindRate.waitMs);
    return undefined;
  }

  #unbind(binder: QueueBinder, binding: Binding): void {
    this.#toUnbind.delete(binding);
    this.#bound--;
    this.#forget(idOf(binding.exchange, binding.key), binding);
    binder.unbind(binding, () => {});
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
