import type { CgroupUsage } from '../cgroup/usage.js';
import type { ProcessInfo, SampleCause } from '../model/sample.js';
import type { Sampler, TakenSample } from '../stats/sampler.js';
import type { BoxOptions } from './box-options.js';
import type { Life } from './life.js';
import { createTicker, type Ticker } from './ticker.js';

export interface SamplingOptions extends Pick<BoxOptions, 'log' | 'time' | 'resources'> {
  readonly life: Life;
  /** A sample was taken: perhaps it shows what the kernel has done. */
  readonly onTaken: (processes: readonly ProcessInfo[], usage: CgroupUsage | null) => void;
}

/** Takes the samples of a box: the first, one per interval, and those that somebody asks for. */
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

  /** The last one; undefined before the first. */
  get last(): TakenSample | undefined {
    return this.#sampler?.last;
  }

  /** The largest processes as last walked. */
  get largest(): readonly ProcessInfo[] {
    return this.last?.sample.Processes ?? [];
  }

  /** The job has started; samples are taken when somebody asks. */
  start(sampler: Sampler): void {
    this.#sampler = sampler;
  }

  /** The first sample now, and one per interval from now on. */
  every(intervalMs: number): void {
    this.#first = this.take('start');
    this.ticker.every(intervalMs);
  }

  /** One sample; never rejects. A failing sampler never disturbs the job. */
  async take(cause: SampleCause): Promise<unknown> {
    const { log, life, resources, onTaken } = this.#options;
    const before = this.largest;
    try {
      const taken = await this.#sampler?.take(cause);
      if (taken !== undefined && !life.hasEnded()) {
        // The sample that sees a kill may find its victim without memory: then it is the one before that tells.
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
