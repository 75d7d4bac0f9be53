import type { BoxState } from '../../../model/types.js';
import { endReportOf } from '../../model/end-report.js';
import { amountAt, nameAt } from '../../model/fields.js';
import { readLimits } from '../../model/nested.js';
import {
  BOX_STATES,
  type Observed,
  type ObservedEvent,
  type ObservedIdentity,
  type ObservedLimits,
  type ObservedProcess,
  type ObservedSample,
} from '../../model/observed.js';
import { Ranges } from '../store/ranges.js';
import { F, FIGURES_WIDTH, figuresOf } from './figures.js';
import { Points } from './points.js';

/** What the collector knows of one box while it runs, and for some minutes after. */

/** A box's clock may be this far ahead of ours before ours counts. */
const AHEAD_MAX_MS = 60_000;
/** Without a word from the box about its interval. */
const INTERVAL_MS = 60_000;
/** A box is silent after this many intervals, and this time, without a message. */
const SILENT_INTERVALS = 3;
const SILENT_MIN_MS = 120_000;
const LARGEST_KEPT = 10;
/** Of the schema of events that this collector reads. */
const EVENT_VERSION = 1;
/** Events of a box in the store; more are counted, but not kept. */
export const EVENTS_MAX = 1_000;
/** Events after which nothing more comes of a box. */
const LAST_EVENTS: ReadonlySet<string> = new Set(['exited', 'released', 'unboxed']);

/** How a box ended. */
export interface BoxEnd {
  readonly atMs: number;
  /** A termination reason, or `released` or `unboxed` for a box whose job goes on without it. */
  readonly reason: string;
  readonly exitStatus: number | null;
  readonly why: string | null;
}

/** Since the previous sample. */
export interface Rates {
  readonly readBytesPerSec: number;
  readonly writeBytesPerSec: number;
  /** NaN if nothing counts throttling. */
  readonly throttledPercent: number;
}

const NO_RATES: Rates = { readBytesPerSec: 0, writeBytesPerSec: 0, throttledPercent: Number.NaN };

/** What of a box is in the store when it comes back into memory. */
export interface KeptBox {
  readonly identity: ObservedIdentity;
  readonly firstMs: number;
  readonly startedMs: number | null;
  readonly updatedMs: number;
  readonly receivedMs: number;
  readonly seen: Ranges;
  readonly samples: number;
  readonly events: number;
  readonly flushedId: number;
  readonly figures: Float64Array;
  readonly end: BoxEnd | null;
  readonly executable: string | null;
  readonly intervalMs: number | null;
  readonly limits: ObservedLimits;
  readonly report: string | null;
}

export class LiveBox {
  readonly identity: ObservedIdentity;
  /** When its first message came, by our clock. */
  readonly firstMs: number;
  readonly seen: Ranges;
  readonly points = new Points();
  startedMs: number | null;
  /** Time of the latest message: by the clock of the box, and by ours. */
  updatedMs: number;
  receivedMs: number;
  samples: number;
  events: number;
  /** The points of this commit, and of all before it, are in chunks. */
  flushedId: number;
  figures: Float64Array;
  rates: Rates = NO_RATES;
  state: BoxState;
  end: BoxEnd | null;
  executable: string | null;
  /** 0: no periodic samples. Null: the box has not said. */
  intervalMs: number | null;
  limits: ObservedLimits;
  largest: readonly ObservedProcess[] = [];
  pressureScope: 'cgroup' | 'host' | null = null;
  /** Memory that the kernel cannot take back; NaN if unknown. */
  memoryHeldBytes = Number.NaN;
  /** The `exited` event as it came, JSON. */
  report: string | null;
  /** Highest sequence number that the state and the figures hold for. */
  #latest: number;

  constructor(kept: KeptBox) {
    this.identity = kept.identity;
    this.firstMs = kept.firstMs;
    this.startedMs = kept.startedMs;
    this.updatedMs = kept.updatedMs;
    this.receivedMs = kept.receivedMs;
    this.seen = kept.seen;
    this.samples = kept.samples;
    this.events = kept.events;
    this.flushedId = kept.flushedId;
    this.figures = kept.figures;
    this.end = kept.end;
    this.state = kept.end === null ? (BOX_STATES[kept.figures[F.state]!] ?? 'running') : 'ended';
    this.executable = kept.executable;
    this.intervalMs = kept.intervalMs;
    this.limits = kept.limits;
    this.report = kept.report;
    this.#latest = kept.seen.last;
  }

  static begin(identity: ObservedIdentity, nowMs: number): LiveBox {
    const figures = new Float64Array(FIGURES_WIDTH).fill(Number.NaN);
    for (const index of [F.cpuUsec, F.memoryBytes, F.memoryPeakBytes, F.readBytes, F.writeBytes, F.dropped, F.state])
      figures[index] = 0;
    return new LiveBox({
      identity,
      firstMs: nowMs,
      startedMs: null,
      updatedMs: 0,
      receivedMs: nowMs,
      seen: Ranges.empty(),
      samples: 0,
      events: 0,
      flushedId: 0,
      figures,
      end: null,
      executable: null,
      intervalMs: null,
      limits: {},
      report: null,
    });
  }

  /** Whether a message comes from the user, host and job that the box had first. Nobody else may speak for it. */
  isOf({ user, host, job, cluster }: ObservedIdentity): boolean {
    const own = this.identity;
    return own.user === user && own.host === host && own.job === job && own.cluster === cluster;
  }

  /** Messages up to the highest number that have not come. */
  get missing(): number {
    return this.seen.last - this.seen.count;
  }

  isSilent(nowMs: number): boolean {
    if (this.end !== null || this.intervalMs === 0) return false;
    const patienceMs = Math.max(SILENT_MIN_MS, SILENT_INTERVALS * (this.intervalMs ?? INTERVAL_MS));
    return nowMs - this.receivedMs > patienceMs;
  }

  /**
   * Takes in a message that is not in the store yet; the caller has checked its number.
   * @returns the figures of a sample, with its time after comparison with our clock; null for an event
   */
  apply(message: Observed, nowMs: number): Float64Array | null {
    const atMs = Math.min(message.atMs, nowMs + AHEAD_MAX_MS);
    this.receivedMs = nowMs;
    this.updatedMs = Math.max(this.updatedMs, atMs);
    const isLatest = message.sequence > this.#latest;
    if (isLatest) this.#latest = message.sequence;
    if (message.kind === 'event') {
      this.#event(message, atMs, isLatest);
      return null;
    }
    const figures = figuresOf(message, atMs);
    if (isLatest) this.#detail(message);
    this.record(figures, isLatest);
    return figures;
  }

  /** Takes in the figures of a sample: also those that the journal has kept. */
  record(figures: Float64Array, isLatest = figures[F.sequence]! >= this.#latest): void {
    this.samples++;
    const elapsedMs = figures[F.elapsedMs]!;
    if (this.startedMs === null && elapsedMs >= 0) this.startedMs = Math.max(0, figures[F.atMs]! - elapsedMs);
    if (!isLatest) return;
    this.#latest = Math.max(this.#latest, figures[F.sequence]!);
    this.rates = ratesBetween(this.figures, figures);
    this.figures = figures;
    this.updatedMs = Math.max(this.updatedMs, figures[F.atMs]!);
    if (this.end === null) this.state = BOX_STATES[figures[F.state]!] ?? 'running';
  }

  #detail(sample: ObservedSample): void {
    this.limits = sameLimits(this.limits, sample.limits) ? this.limits : sample.limits;
    this.largest = sample.largest.length > LARGEST_KEPT ? sample.largest.slice(0, LARGEST_KEPT) : sample.largest;
    this.pressureScope = sample.pressureScope;
    this.memoryHeldBytes = sample.memoryHeldBytes ?? Number.NaN;
  }

  #event(event: ObservedEvent, atMs: number, isLatest: boolean): void {
    this.events++;
    if (event.event === 'started') this.#started(event, atMs);
    if (LAST_EVENTS.has(event.event) && this.end === null) this.#ended(event, atMs);
    if (isLatest && this.end === null) this.state = event.state;
  }

  #started({ body }: ObservedEvent, atMs: number): void {
    this.startedMs = atMs;
    this.executable = nameAt(body['executable']);
    this.intervalMs = amountAt(body['sample_interval_ms']);
    if (this.samples === 0) this.limits = readLimits(body['limits']);
  }

  #ended(event: ObservedEvent, atMs: number): void {
    const report = endReportOf(event);
    this.state = 'ended';
    this.end = {
      atMs,
      reason: report?.reason ?? event.event,
      exitStatus: report?.exitStatus ?? null,
      why: report?.why ?? nameAt(event.body['why']),
    };
    this.largest = [];
    if (report !== null) {
      const { identity, sequence, state, body } = event;
      const time = new Date(event.atMs).toISOString();
      this.report = JSON.stringify({
        event: 'exited',
        version: EVENT_VERSION,
        sequence,
        time,
        identity,
        state,
        ...body,
      });
    }
  }
}

function ratesBetween(before: Float64Array, now: Float64Array): Rates {
  const seconds = (now[F.atMs]! - before[F.atMs]!) / 1e3;
  if (!(seconds > 0)) return NO_RATES;
  const per = (index: number) => Math.max(0, (now[index]! - before[index]!) / seconds);
  return {
    readBytesPerSec: per(F.readBytes),
    writeBytesPerSec: per(F.writeBytes),
    throttledPercent: Math.min(100, per(F.throttledUsec) / 1e4),
  };
}

/** Limits seldom change, and a table of them for each of 40,000 boxes takes memory. */
function sameLimits(one: ObservedLimits, other: ObservedLimits): boolean {
  const names = Object.keys(other);
  return (
    names.length === Object.keys(one).length &&
    names.every((name) => {
      const [left, right] = [one[name], other[name]!];
      return left?.value === right.value && left.hard === right.hard && left.enforcement === right.enforcement;
    })
  );
}
