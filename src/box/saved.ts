import type { By } from '../model/event.js';
import type { LimitStatus } from '../model/sample.js';
import type { Bound } from '../options/resources.js';
import type { SavedSampler } from '../stats/sampler.js';
import type { Lifecycle } from './lifecycle.js';

/**
 * What a box needs to go on in another process: plain JSON, at most a few kB. The keeper holds it, and a user's keeper may
 * give back anything: it decides only about that user's own box.
 */
export interface SavedBox {
  readonly version: 1;
  readonly boxId: string;
  /** Sequence numbers up to this one may have been used. */
  readonly sequence: number;
  readonly pid: number;
  /** CLOCK_MONOTONIC, ms. */
  readonly startedMs: number;
  readonly life: SavedLife;
  readonly cause: SavedCause;
  readonly clock: SavedClock;
  readonly near: SavedNear;
  readonly limits: readonly (readonly [string, LimitStatus])[];
  readonly limitSetBy: readonly (readonly [string, By])[];
  readonly suspendedBy: By | null;
  readonly sampleIntervalMs: number;
  readonly used: number | null;
  readonly warned: number | null;
  readonly refused: number;
  readonly incidents: SavedIncidents;
  readonly resources: SavedResources;
  readonly sampler: SavedSampler | null;
}

/** Times of CLOCK_MONOTONIC, ms; null: not yet. */
export interface SavedCause {
  readonly endingAtMs: number | null;
  readonly killAtMs: number | null;
  readonly signal: string | null;
}

export interface SavedIncidents {
  /** CLOCK_MONOTONIC, ms; null: no kill yet. */
  readonly oomAtMs: number | null;
  readonly kills: number;
  readonly peakBytes: number;
}

export interface SavedLife {
  readonly state: Lifecycle;
  /** CLOCK_MONOTONIC, ms; null: no grace period has begun. */
  readonly graceEndsMs: number | null;
}

/** Per limit, how many thresholds were passed, and under which value of the limit. */
export type SavedNear = readonly (readonly [string, { readonly value: number; readonly count: number }])[];

export interface SavedResources {
  readonly limits: readonly (readonly [string, LimitStatus])[];
  /** The limit of swap that was asked for; null: none was. */
  readonly swap: Bound | null;
  readonly oomKills: number;
  readonly forksRefused: number;
}

export interface SavedClock {
  readonly on: boolean;
  readonly held: boolean;
  /** The elapsed time at `atMs`. */
  readonly elapsedMs: number;
  /** CLOCK_MONOTONIC, ms. */
  readonly atMs: number;
  readonly suspendedMs: number;
  /** Holds by the scheduler that are in `elapsedMs`, as the keeper counts them. @default 0 */
  readonly seenMs?: number;
  readonly limitMs: number;
  /** Indexes of the marks that were reached. */
  readonly reached: readonly number[];
}
