import type { KeeperUsage, ProcessRow } from 'cgroup-utils-native';
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

export interface ReachedOptions extends Pick<BoxOptions, 'spec' | 'keeper' | 'log' | 'saved'> {
  readonly life: Life;
  readonly limits: Limits;
  readonly near: Near;
  readonly clock: WallClock;
  readonly emitEvent: (body: EventBody) => void;
  readonly sample: (cause: SampleCause) => Promise<unknown>;
  /** The largest processes in the last sample. */
  readonly largest: () => readonly ProcessInfo[];
}

const LIMIT = { via: 'limit' } as const;

/** Acts when a limit of the box is reached: emits an event, takes a sample, and ends the job. */
export class Reached {
  readonly #box: ReachedOptions;
  #used: number | null = null;

  constructor(box: ReachedOptions) {
    this.#box = box;
    this.#used = box.saved?.used ?? null;
  }

  /** Usage of the limit that ends the job, in its unit; null if unknown. */
  get used(): number | null {
    return this.#used;
  }

  /** The watchdog has seen a limit exceeded that no control group holds. */
  watched(name: WatchedName, used: number, limit: number, processes: readonly ProcessRow[]): void {
    const { spec, log, life, near, largest } = this.#box;
    const rounded = Math.round(used);
    this.#used ??= rounded;
    log.debug(`${name} is over its limit: ${rounded} of ${limit}`);
    near.used(name, rounded);
    this.#emitExceeded(name, rounded, processes.length > 0 ? processes.map(processInfo) : largest());
    if (name === 'cpu-time') void life.stop('cpu', LIMIT, spec.endSignal);
    else void life.apply({ type: 'kill', reason: name, by: LIMIT, signal: SIGKILL });
    void this.#box.sample('limit');
  }

  /**
   * Whether a process that has ended had passed a memory limit that only sampling holds, although no look has seen it. A job gets
   * the same end then, however the looks fell. What a process used before a command changed the limit does not count.
   * @param usage the keeper's totals at the end
   */
  passedUnseen(usage: KeeperUsage | undefined): boolean {
    const { life, limits, log } = this.#box;
    const memory = limits.get('memory');
    if (usage === undefined || memory?.enforcement !== 'watchdog' || memory.source === 'command') return false;
    const used = usage.maxRssBytes;
    if (life.state.ending !== null || typeof memory.value !== 'number' || used <= memory.value) return false;
    this.#used ??= used;
    log.debug(`memory was over its limit before the process ended: ${used} of ${memory.value}`);
    this.#emitExceeded('memory', used);
    return true;
  }

  async time(): Promise<void> {
    const { spec, log, clock, life, sample } = this.#box;
    log.debug(`the time limit of ${clock.limitMs} ms was reached: stopping the job`);
    this.#emitExceeded('timeout', clock.status().elapsed_ms);
    await sample('limit');
    await life.stop('timeout', LIMIT, spec.endSignal);
  }

  /** The keeper has stopped the job at its time limit, because this process was stopped or too busy. */
  timeByKeeper(atMs: number, limitMs = this.#box.clock.limitMs): void {
    const { spec, log, life } = this.#box;
    // This process has begun the same stop, and may learn only now that the keeper was first.
    if (life.state.ending?.reason === 'timeout') life.cause.begunByKeeper(atMs);
    if (life.state.ending !== null) return;
    log.warn(
      `the wall clock limit of ${limitMs / 1000} s passed while this process did not respond; the keeper stopped the job`,
    );
    // The job may have ended from this long before this process continues and learns of either.
    void life.stop('timeout', LIMIT, null, spec.graceMs, atMs);
  }

  /** The keeper reports once at the limit, and again only if the job goes on writing to its file. That ends its grace period. */
  stdout(bytes: number): void {
    const { spec, log, limits, near, life, sample } = this.#box;
    if (life.state.ending?.reason === 'stdoutlimit') {
      void life.apply({ type: 'graceOver' });
      return;
    }
    log.debug(`stdout has reached its limit of ${limits.get('stdoutlimit')?.value} bytes: stopping the job`);
    near.used('stdoutlimit', bytes);
    void life.stop('stdoutlimit', LIMIT, spec.endSignal);
    this.#emitExceeded('stdoutlimit', bytes);
    void sample('limit');
  }

  /** Tells the keeper, which counts stdout, the next --near threshold to report. */
  markStdout(): void {
    const { spec, keeper, near, log } = this.#box;
    if (spec.near.length === 0) return;
    const bytes = near.next('stdoutlimit');
    keeper.stdoutMark(Math.ceil(bytes ?? 0)).catch((error: Error) => log.debug(`--near: ${error.message}`));
  }

  #emitExceeded(limit: string, used: number, processes: readonly ProcessInfo[] = []): void {
    const status = this.#box.limits.get(limit);
    if (status !== undefined) this.#box.emitEvent({ event: 'limit_exceeded', limit, status, used, processes });
  }
}
