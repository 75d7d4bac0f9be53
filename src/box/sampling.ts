import type { CgroupUsage } from '../cgroup/usage.js';
import type { ProcessInfo, SampleCause } from '../model/sample.js';
import type { Sampler, TakenSample } from '../stats/sampler.js';
import type { BoxOptions } from './box-options.js';
import type { Life } from './life.js';
import { createTicker, type Ticker } from './ticker.js';

export interface SamplingOptions extends Pick<BoxOptions, 'log' | 'time' | 'resources'> {
  readonly life: Life;
  /** Called after each sample, which may show that the kernel has acted on a limit. */
  readonly onTaken: (processes: readonly ProcessInfo[], usage: CgroupUsage | null) => void;
}

/** Takes the samples of a box: the first, one per interval, and one on each request. */
export class Sampling {
  readonly ticker: Ticker;
  readonly #options: SamplingOptions;
  #sampler: Sampler | undefined;
  #first: Promise<unknown> = Promise.resolve();

  constructor(options: SamplingOptions) {
    this.#options = options;
    this.ticker = createTicker(options.time, () => void this.take('interval'));
  }

  /** Settles when the first sample has been taken. */
  get first(): Promise<unknown> {
    return this.#first;
  }

  /** Undefined before the job has started. */
  get sampler(): Sampler | undefined {
    return this.#sampler;
  }

  /** The last sample; undefined before the first. */
  get last(): TakenSample | undefined {
    return this.#sampler?.last;
  }

  /** The largest processes in the last sample. */
  get largest(): readonly ProcessInfo[] {
    return this.last?.sample.Processes ?? [];
  }

  /** The job has started; from now on samples are taken on request. */
  start(sampler: Sampler): void {
    this.#sampler = sampler;
  }

  /** Takes the first sample now, and one per interval from now on. */
  every(intervalMs: number): void {
    this.#first = this.take('start');
    this.ticker.every(intervalMs);
  }

  /** Reads the groups' figures when no process is left. Never rejects; null if the job has not started. */
  async readFinal(): Promise<CgroupUsage | null> {
    return (await this.#sampler?.readFinal()) ?? null;
  }

  /** Takes a sample. Never rejects, because a failing sampler must not disturb the job. */
  async take(cause: SampleCause): Promise<unknown> {
    const { log, life, resources, onTaken } = this.#options;
    const before = this.largest;
    try {
      const taken = await this.#sampler?.take(cause);
      if (taken !== undefined && !life.hasEnded()) {
        // A sample that sees an OOM kill may find the victim without memory. Then the sample before shows the culprit.
        const now = taken.sample.Processes;
        onTaken((now[0]?.rss ?? 0) < (before[0]?.rss ?? 0) ? before : now, taken.cgroup);
        for (const line of resources.lost()) log.warn(line);
      }
      return taken?.sample;
    } catch (error) {
      log.warn(`no sample: ${(error as Error).message}`);
      return undefined;
    }
  }
}
