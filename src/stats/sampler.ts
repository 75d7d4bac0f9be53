import type { HostSample, KeeperUsage } from 'cgroup-utils-native';
import type { SampleBox } from '../cgroup/read-usage.js';
import type { BoxCgroup } from '../cgroup/types.js';
import type { CgroupUsage, DeviceUsage } from '../cgroup/usage.js';
import { EnvironmentError } from '../errors.js';
import type { HostFacts } from '../kernel/host.js';
import type { BoxPressure } from '../kernel/pressure.js';
import type { Logger } from '../log.js';
import { SAMPLE_TYPE, type Sample, type SampleCause } from '../model/sample.js';
import type { Outgoing } from '../model/types.js';
import { withUserData } from '../options/verbatim.js';
import { assemble, type BoxFacts, type BoxStatus } from './assemble.js';
import { createMeter, type Measured } from './measure.js';
import { type Totals, totals } from './totals.js';

export interface SamplerOptions extends BoxFacts {
  /** When the job started, on the clock of `monotonicMs`. */
  readonly startedMs: number;
  readonly pss: boolean;
  /** The box's control groups, or the null object. */
  readonly cgroup: BoxCgroup;
  /** Longest time between walks of a box of more than 64 processes; 0 walks for every sample. */
  readonly rowsIntervalMs: number;
  readonly log: Pick<Logger, 'warn'>;
  /** Asks the keeper. If that fails because the keeper has gone, the sampler uses the last answer. */
  readonly sample: SampleBox;
  readonly pressure: BoxPressure;
  readonly status: () => BoxStatus;
  /** Called once, at the first sample. */
  readonly hostFacts: () => HostFacts;
  readonly hostSample: () => HostSample;
  /** Returns the next number of the sequence that samples and events share. */
  readonly sequence: () => number;
  /** Called with every sample exactly once, in order of `Sequence`. */
  readonly emit: (taken: TakenSample) => void;
  /** CLOCK_MONOTONIC, ms. */
  readonly monotonicMs: () => number;
  /** Realtime clock, ms since the epoch. @default Date.now */
  readonly nowMs?: () => number;
  /** Longest wait for the keeper's answer, after which the last answer is used. @default 5000 */
  readonly sampleWaitMs?: number;
  /** What another process has saved, which has sampled this box before. @default nobody has */
  readonly saved?: SavedSampler | null;
}

/** What a sampler needs to go on in another process, as JSON. */
export interface SavedSampler {
  readonly totals: Omit<Totals, 'counted'> & {
    readonly counted: Omit<Totals['counted'], 'devices'> & { readonly devices: readonly DeviceUsage[] | null };
  };
  readonly cpu: { readonly usec: number; readonly atMs: number };
}

export interface TakenSample {
  readonly sample: Sample;
  readonly outgoing: Outgoing;
  /** The figures of the control groups for this sample. */
  readonly cgroup: CgroupUsage | null;
}

export interface Sampler {
  /**
   * Takes a sample now. A call while another is being taken shares that one, and a call after the final sample returns the
   * final sample. Rejects only if the keeper has never answered; then nothing is emitted.
   */
  take(cause: SampleCause): Promise<TakenSample>;
  /**
   * Reads the groups' figures for the last sample, when no process is left. Never rejects: if the keeper has gone, these are
   * the figures that were read last.
   */
  readFinal(): Promise<CgroupUsage | null>;
  /**
   * Takes the last sample, with the figures that were read last. Later calls return the same sample.
   *
   * @param usage the exact totals of the keeper's `empty` event
   * @default the keeper's last answer, in case the keeper has died
   */
  final(usage?: KeeperUsage): TakenSample;
  /** The last sample emitted. */
  readonly last: TakenSample | undefined;
  /** For another process that goes on with the box. */
  save(): SavedSampler;
}

/** Makes a sampler for one box. It starts no timer and opens nothing, so it need not be closed. */
export function createSampler(options: SamplerOptions): Sampler {
  const { saved } = options;
  const sums = totals(saved == null ? undefined : sumsOf(saved));
  const nowMs = options.nowMs ?? Date.now;
  let facts: HostFacts | undefined;
  let pending: Promise<TakenSample> | undefined;
  let last: TakenSample | undefined;
  let finished: TakenSample | undefined;
  let cpu = saved?.cpu ?? { usec: 0, atMs: options.startedMs };
  const meter = createMeter({
    cgroup: options.cgroup,
    pressure: options.pressure,
    sample: options.sample,
    rowsIntervalMs: options.rowsIntervalMs,
    warn: (message) => options.log.warn(message),
    walk: { rows: Math.max(options.rows, 1), openFiles: true, pss: options.pss },
  });
  const waitMs = options.sampleWaitMs ?? 5000;

  const publish = (cause: SampleCause, measured: Measured): TakenSample => {
    const atMs = options.monotonicMs();
    const now = sums.add({
      tree: measured.walked ? measured.tree : null,
      usage: measured.usage,
      cgroup: measured.cgroup,
      cpu: measured.cpu,
      rssBytes: measured.rssBytes,
      processes: measured.pids.length,
    });
    const percent = cpuPercent(now.userUsec + now.systemUsec - cpu.usec, atMs - cpu.atMs);
    cpu = { usec: now.userUsec + now.systemUsec, atMs };
    facts ??= options.hostFacts();
    const sample = assemble({
      cause,
      measured,
      percent,
      facts,
      totals: now,
      nowMs: nowMs(),
      host: options.hostSample(),
      status: options.status(),
      pressure: measured.pressure,
      sequence: options.sequence(),
      box: options,
    });
    const taken = { sample, outgoing: toOutgoing(sample), cgroup: measured.cgroup };
    last = taken;
    if (cause === 'final') finished = taken;
    options.emit(taken);
    return taken;
  };

  const begin = async (cause: SampleCause): Promise<TakenSample> => {
    const measured = (await bounded(() => meter.measure(cause, options.monotonicMs()), waitMs)) ?? meter.last;
    // The box may have ended while the keeper was answering.
    if (finished !== undefined) return finished;
    if (measured === undefined) throw new EnvironmentError('the keeper does not answer');
    return publish(cause, measured);
  };

  return {
    take(cause) {
      if (finished !== undefined) return Promise.resolve(finished);
      pending ??= begin(cause).finally(() => {
        pending = undefined;
      });
      return pending;
    },
    async readFinal() {
      const read = await bounded(() => meter.readFinal(), waitMs);
      return read ?? meter.final().cgroup;
    },
    final: (usage) => finished ?? publish('final', meter.final(usage)),
    get last() {
      return last;
    },
    save() {
      const { counted, ...rest } = sums.sum;
      const devices = counted.devices === null ? null : [...counted.devices.values()];
      return { totals: { ...rest, counted: { ...counted, devices } }, cpu };
    },
  };
}

function sumsOf({ totals: { counted, ...rest } }: SavedSampler): Totals {
  const devices = counted.devices === null ? null : new Map(counted.devices.map((one) => [one.device, one]));
  return { ...rest, counted: { ...counted, devices } };
}

/** Asks for at most `waitMs`. @returns undefined if the keeper has gone or is stopped */
function bounded<T>(ask: () => Promise<T>, waitMs: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs, undefined);
    const done = (value: T | undefined) => {
      clearTimeout(timer);
      resolve(value);
    };
    (async () => done(await ask()))().catch(() => done(undefined));
  });
}

/** Returns 0 for two samples within one clock tick, which have no interval between them. */
function cpuPercent(usec: number, ms: number): number {
  return ms > 0 ? Math.round((usec / ms) * 100) / 1000 : 0;
}

/** Makes the text only when it is read: a box with just a report never reads it. */
function toOutgoing(sample: Sample): Outgoing {
  let text: string | undefined;
  return {
    kind: 'sample',
    messageId: `${sample.Identity.box}-${sample.Sequence}`,
    type: SAMPLE_TYPE,
    get body() {
      text ??= withUserData(JSON.stringify(sample), sample.UserData);
      return text;
    },
    timestamp: sample.TimeUnix,
  };
}
