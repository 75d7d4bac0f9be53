import type { ProcessRow } from 'cgroup-utils-native';
import type { EventBody } from '../model/event.js';
import type { ProcessInfo, SampleCause } from '../model/sample.js';
import type { WatchedName } from '../options/table/limits.js';
import { processInfo } from '../stats/assemble.js';
import type { BoxOptions } from './box-options.js';
import type { Life } from './life.js';
import { SIGKILL } from './lifecycle.js';
import type { Limits } from './limits.js';
import type { Near } from './near.js';
import type { WallClock } from './timer.js';

export interface ReachedOptions extends Pick<BoxOptions, 'spec' | 'keeper' | 'log'> {
  readonly life: Life;
  readonly limits: Limits;
  readonly near: Near;
  readonly clock: WallClock;
  readonly tell: (body: EventBody) => void;
  readonly sample: (cause: SampleCause) => Promise<unknown>;
  /** The largest processes as last walked. */
  readonly largest: () => readonly ProcessInfo[];
}

const LIMIT = { via: 'limit' } as const;

/** What a box does when one of its limits is reached: tells it, takes a sample, and ends the job. */
export class Reached {
  readonly #box: ReachedOptions;
  #used: number | null = null;

  constructor(box: ReachedOptions) {
    this.#box = box;
  }

  /** How much was used of the limit that ends the job, in its unit; null where that is not known. */
  get used(): number | null {
    return this.#used;
  }

  /** The watchdog has seen that a limit which no control group holds was passed. */
  watched(name: WatchedName, used: number, limit: number, processes: readonly ProcessRow[]): void {
    const { spec, log, life, near, largest } = this.#box;
    const rounded = Math.round(used);
    this.#used ??= rounded;
    log.debug(`${name} is over its limit: ${rounded} of ${limit}`);
    near.used(name, rounded);
    this.#tell(name, rounded, processes.length > 0 ? processes.map(processInfo) : largest());
    if (name === 'cpu-time') void life.stop('cpu', LIMIT, spec.endSignal);
    else void life.apply({ type: 'kill', reason: name, by: LIMIT, signal: SIGKILL });
    void this.#box.sample('limit');
  }

  async time(): Promise<void> {
    const { spec, log, clock, life, sample } = this.#box;
    log.debug(`the time limit of ${clock.limitMs} ms is over: stopping the job`);
    this.#tell('timeout', clock.status().elapsed_ms);
    await sample('limit');
    await life.stop('timeout', LIMIT, spec.endSignal);
  }

  /** The keeper has stopped the job in our stead: this process was stopped, or too busy. */
  timeByKeeper(atMs: number): void {
    const { spec, log, clock, life } = this.#box;
    // This process was about to do the same, and may hear only now that the job was stopped before.
    if (life.state.ending?.reason === 'timeout') life.cause.begunByKeeper(atMs);
    if (life.state.ending !== null) return;
    log.warn(`the wall clock limit of ${clock.limitMs / 1000} s was over, and the keeper has stopped the job`);
    // The job may have ended of it long before this process goes on and hears of either.
    void life.stop('timeout', LIMIT, null, spec.graceMs, atMs);
  }

  /** Reported once at the limit; again only where the job went on writing to its file: then it has no more grace. */
  stdout(bytes: number): void {
    const { spec, log, limits, near, life, sample } = this.#box;
    if (life.state.ending?.reason === 'stdoutlimit') {
      void life.apply({ type: 'graceOver' });
      return;
    }
    log.debug(`stdout has reached its limit of ${limits.get('stdoutlimit')?.value} bytes: stopping the job`);
    near.used('stdoutlimit', bytes);
    void life.stop('stdoutlimit', LIMIT, spec.endSignal);
    this.#tell('stdoutlimit', bytes);
    void sample('limit');
  }

  /** The keeper counts stdout, and is told at which threshold of --near to say so. */
  markStdout(): void {
    const { spec, keeper, near, log } = this.#box;
    if (spec.near.length === 0) return;
    const bytes = near.next('stdoutlimit');
    keeper.stdoutMark(Math.ceil(bytes ?? 0)).catch((error: Error) => log.debug(`--near: ${error.message}`));
  }

  #tell(limit: string, used: number, processes: readonly ProcessInfo[] = []): void {
    const status = this.#box.limits.get(limit);
    if (status !== undefined) this.#box.tell({ event: 'limit_exceeded', limit, status, used, processes });
  }
}
