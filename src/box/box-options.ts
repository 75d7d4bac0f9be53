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
import type { Time } from './time.js';
import type { WallClock } from './timer.js';

export interface BoxOptions {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly keeper: Keeper;
  /** A process that ran before its box was made: its end is not ours, and how it ended may be unknown. */
  readonly adopted: boolean;
  /** SIGKILL to everything in the box's control group at once, where the kernel can do that; must not throw. Returns their number. */
  readonly killGroup: () => number;
  /** Limits of the box as a whole, in force already. */
  readonly resources: ResourceControl;
  readonly stdoutMode: Extract<KeeperEvent, { type: 'hello' }>['stdoutMode'];
  readonly log: Logger;
  readonly time: Time;
  /** Made once the job runs. */
  readonly createSampler: (box: Sampled, pid: number, startedMs: number) => Sampler;
  /** Somebody gets the samples: without a broker and a report only the watchdog looks at the box. */
  readonly observed: boolean;
  /** Time left for the job since its scheduler has asked it to end, ms. */
  readonly schedulerGraceMs: () => number;
  /** Samples and events, in order; must not throw. */
  readonly emit: (message: Outgoing) => void;
  /** Gets each command's event as well; must not throw. @default nobody does */
  readonly audit?: (event: EventHead & CommandEvent) => void;
  /** Messages given up so far. */
  readonly dropped: () => number;
  /** State of the link to the broker, for `status`. */
  readonly brokerState: () => unknown;
  /** By then, monotonic ms, nothing of the box may run any more; 0: for now no such time. @default nobody wants to know */
  readonly onDeadline?: (endMs: number) => void;
  readonly onStarted: () => void;
  /** Called once, however the box ends. */
  readonly onEnded: (end: BoxEnd) => void;
}

/** What a sampler asks of its box. */
export interface Sampled {
  readonly state: BoxState;
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly near: Near;
  /** Next number of the box's one sequence of samples and events. */
  nextSequence(): number;
}

export interface BoxEnd {
  readonly outcome: Outcome;
  readonly elapsedMs: number;
  /** Why the job ended and who asked, for people; null where its exit status says everything. */
  readonly why: string | null;
  /** Null where nobody gets it (see `observed`), and where the job never started. */
  readonly report: (EventHead & Exited) | null;
}
