import type { KeeperUsage } from 'cgroup-utils-native';
import type { By, EventBody, EventHead } from '../model/event.js';
import { signalName } from '../options/signals.js';
import { exitedEvent } from '../stats/end.js';
import type { Sampler } from '../stats/sampler.js';
import type { BoxEnd, BoxOptions } from './box-options.js';
import type { Incidents } from './incidents.js';
import type { Life } from './life.js';
import { cpuLimit, type Limits } from './limits.js';
import { decideOutcome, type MainExit, type Outcome } from './outcome.js';
import type { WallClock } from './timer.js';
import type { LeftBehind } from './unkillable.js';
import { whyEnded } from './why.js';

/** What the box knows when its last process has ended. */
export interface EndedBox extends Pick<BoxOptions, 'spec' | 'observed'> {
  readonly life: Life;
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly incidents: Incidents;
  readonly leftBehind: LeftBehind;
  /** Null if it is unknown because the keeper died. */
  readonly main: MainExit | null;
  readonly cpuUsec: number;
  readonly elapsedMs: number;
  /** A process that ended by itself had passed a memory limit that only sampling holds. */
  readonly memoryPassed: boolean;
  /** Usage of the limit that ended the job, in its unit; null if unknown. */
  readonly used: number | null;
  readonly limitSetBy: ReadonlyMap<string, By>;
  readonly suspendedBy: By | null;
  /** The signal of --warn-signal; null if it was not sent. */
  readonly warned: number | null;
  readonly refusedCommands: number;
  /** Undefined if the job never started. */
  readonly sampler: Sampler | undefined;
  /** The keeper's totals; undefined if the keeper died. */
  readonly usage: KeeperUsage | undefined;
  readonly emitEvent: <Body extends EventBody>(body: Body) => EventHead & Body;
}

/** Decides how the box has ended and ends its life cycle. Emits the last sample and `exited` if anybody receives them. */
export function endBox(box: EndedBox): BoxEnd {
  const { life, limits, incidents, clock, main, cpuUsec, elapsedMs, memoryPassed } = box;
  // An earlier sample may already have counted the kill.
  const { oomKilled } = incidents;
  const evidence = { rlimits: cpuLimit(limits), cpuUsec, oomKilled, memoryPassed };
  const outcome = decideOutcome(life.cause.of(life.state), main, evidence);
  void life.apply({ type: 'ended' });
  const why = explain(box, outcome);
  const taken = box.observed ? box.sampler?.final(box.usage) : undefined;
  if (taken === undefined) return { outcome, elapsedMs, why, report: null };
  const { signal } = outcome;
  const exited = exitedEvent(taken.sample, {
    ...outcome,
    why,
    signal: signal === null ? null : `SIG${signalName(signal)}`,
    elapsedMs,
    suspendedMs: clock.suspendedMs,
    refusedCommands: box.refusedCommands,
    left: box.leftBehind.left,
  });
  return { outcome, elapsedMs, why, report: box.emitEvent(exited) };
}

function explain(box: EndedBox, outcome: Outcome): string | null {
  const { life, limits, clock, incidents, suspendedBy: by } = box;
  const { oom } = incidents;
  const why = whyEnded(outcome, {
    limits,
    origins: box.spec.limitOrigins,
    lastKill: life.state.lastKill,
    limitSetBy: box.limitSetBy,
    suspended: by === null ? null : { by, ms: clock.suspendedMs },
    used: box.used,
    oom,
    warnSignal: box.warned,
  });
  incidents.close(outcome.reason === 'oom');
  return why;
}
