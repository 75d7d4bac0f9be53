import { hostSample, type Keeper, type KeeperEvent, monotonicMs } from 'cgroup-utils-native';
import { Box } from '../box/box.js';
import type { BoxEnd, Change } from '../box/box-options.js';
import type { ResourceControl } from '../box/resource-control.js';
import type { SavedBox } from '../box/saved.js';
import { systemTime, type Time } from '../box/time.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { hostFacts } from '../kernel/host.js';
import { boxPressure } from '../kernel/pressure.js';
import type { Logger } from '../log.js';
import type { CommandEvent, EventHead } from '../model/event.js';
import type { Outgoing } from '../model/types.js';
import { type BoxSpec, isObserved, type JobIdentity } from '../options/spec.js';
import { createSampler } from '../stats/sampler.js';
import type { Subject } from './subject.js';

/** Where the messages of a box go. */
export interface Listener {
  /** Samples and events, in order; must not throw. */
  publish(message: Outgoing): void;
  /** Gets the event of each command as well; must not throw. */
  audit(event: EventHead & CommandEvent): void;
  /** Messages given up so far. */
  dropped(): number;
  /** State of the link to the broker, for `status`; null without a link. */
  state(): unknown;
}

export interface BoxParts {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly keeper: Keeper;
  readonly stdoutMode: Extract<KeeperEvent, { type: 'hello' }>['stdoutMode'];
  readonly subject: Pick<Subject, 'adopted'>;
  readonly cgroup: BoxCgroup;
  readonly resources: ResourceControl;
  readonly log: Logger;
  /** @default `systemTime` */
  readonly time?: Time | undefined;
  readonly listener: Listener;
  /** Time that the job has left after its scheduler has asked it to end, ms. */
  readonly schedulerGraceMs: () => number;
  /**
   * Called with the monotonic time in ms at which every process of the box must have ended; 0 if there is no such time.
   */
  readonly onDeadline?: (endMs: number) => void;
  /** What another process has saved of this box. @default the box begins */
  readonly saved?: SavedBox | undefined;
  readonly onChanged?: (when: Change) => void;
  readonly onStarted: () => void;
  /** Called when the box has ended. */
  readonly onEnded: (end: BoxEnd) => void;
}

/** Makes a box and its sampler around a job that the keeper is about to launch or has adopted. */
export function createBox(parts: BoxParts): Box {
  const { spec, identity, keeper, stdoutMode, subject, cgroup, resources, log, listener } = parts;
  return new Box({
    spec,
    resources,
    identity,
    keeper,
    adopted: subject.adopted !== null,
    stdoutMode,
    log,
    time: parts.time ?? systemTime,
    createSampler: (box, pid, startedMs) =>
      createSampler({
        identity,
        pid,
        startedMs,
        stdoutMode,
        userData: spec.userData,
        rows: spec.rows,
        pss: spec.pss,
        cgroup,
        rowsIntervalMs: spec.rowsIntervalMs,
        log,
        sample: (wanted) => keeper.sample(wanted),
        status: () => ({
          state: box.state,
          timer: box.clock.status(),
          limits: Object.fromEntries(box.limits),
          near: box.near.reached,
          dropped: listener.dropped(),
        }),
        hostFacts: () => hostFacts(identity.host),
        hostSample,
        pressure: boxPressure(cgroup.pressureDir),
        sequence: () => box.nextSequence(),
        emit: ({ outgoing }) => listener.publish(outgoing),
        monotonicMs,
        saved: parts.saved?.sampler ?? null,
      }),
    observed: isObserved(spec),
    schedulerGraceMs: parts.schedulerGraceMs,
    emit: (message) => listener.publish(message),
    audit: (event) => listener.audit(event),
    dropped: () => listener.dropped(),
    brokerState: () => listener.state(),
    ...(parts.onDeadline !== undefined && { onDeadline: parts.onDeadline }),
    saved: parts.saved,
    ...(parts.onChanged !== undefined && { onChanged: parts.onChanged }),
    onStarted: parts.onStarted,
    onEnded: parts.onEnded,
  });
}
