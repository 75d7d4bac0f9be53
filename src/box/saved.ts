import type { By } from '../model/event.js';
import type { LimitStatus } from '../model/sample.js';
import type { SavedSampler } from '../stats/sampler.js';
import type { SavedCause } from './first-cause.js';
import type { SavedIncidents } from './incidents.js';
import type { SavedLife } from './life.js';
import type { SavedNear } from './near.js';
import type { SavedResources } from './resource-control.js';
import type { SavedClock } from './timer.js';

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
