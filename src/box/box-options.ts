import type { Keeper, KeeperEvent } from 'cgroup-utils-native';
import type { Logger } from '../log.js';
import type { CommandEvent, EventHead, Exited } from '../model/event.js';
import type { BoxState, Outgoing } from '../model/types.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import type { Sampler } from '../stats/sampler.js';
import type { Limits } from './limits.js';
import type { Near } from './near.js';
import type { Outcome } from './outcome.js';
import type { ResourceControl } from './resource-control.js';
import type { SavedBox } from './saved.js';
import type { Time } from './time.js';
import type { WallClock } from './timer.js';

export interface BoxOptions {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly keeper: Keeper;
  /** True if the process ran before its box was made. It is not the keeper's child, so how it ended may be unknown. */
  readonly adopted: boolean;
  /** The limits of the box as a whole, already in force. */
  readonly resources: ResourceControl;
  readonly stdoutMode: Extract<KeeperEvent, { type: 'hello' }>['stdoutMode'];
  readonly log: Logger;
  readonly time: Time;
  /** Called once the job runs. */
  readonly createSampler: (box: SampledBox, pid: number, startedMs: number) => Sampler;
  /** True if the samples are used. Without a broker and a report, only the watchdog looks at the box. */
  readonly observed: boolean;
  /** Milliseconds that the scheduler, having asked the job to end, still leaves it; infinite if the scheduler has not asked. */
  readonly schedulerGraceMs: () => number;
  /** Takes samples and events, in order; must not throw. */
  readonly emit: (message: Outgoing) => void;
  /** Called with each command's event as well; must not throw. @default no audit */
  readonly audit?: (event: EventHead & CommandEvent) => void;
  /** Number of messages given up so far. */
  readonly dropped: () => number;
  /** The state of the link to the broker, for `status`. */
  readonly brokerState: () => unknown;
  /**
   * Called whenever the time changes by which every process of the box must have ended (CLOCK_MONOTONIC, ms; 0 if there is
   * no such time at present). @default not called
   */
  readonly onDeadline?: (endMs: number) => void;
  readonly onStarted: () => void;
  /** What another process has saved, which was in charge of this box before. @default the box begins */
  readonly saved?: SavedBox | undefined;
  /** Called when what `save` returns has changed. */
  readonly onChanged?: (when: Change) => void;
  /** Called once, however the box ends. */
  readonly onEnded: (end: BoxEnd) => void;
}

/**
 * When a change has to be saved: `now`, before anything else happens; `soon`, within milliseconds; `later`, within seconds, as
 * the next sample tells the same anew.
 */
export type Change = 'now' | 'soon' | 'later';

/** The part of a box that its sampler reads. */
export interface SampledBox {
  readonly state: BoxState;
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly near: Near;
  /** Returns the next sequence number; samples and events share one sequence. */
  nextSequence(): number;
}

export interface BoxEnd {
  readonly outcome: Outcome;
  readonly elapsedMs: number;
  /** Why the job ended and who asked, as a line for people; null if its exit status says everything. */
  readonly why: string | null;
  /** Null if nobody receives it (see `observed`) or the job never started. */
  readonly report: (EventHead & Exited) | null;
}
