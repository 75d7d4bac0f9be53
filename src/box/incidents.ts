import type { CgroupUsage } from '../cgroup/usage.js';
import type { Logger } from '../log.js';
import type { EventBody } from '../model/event.js';
import type { ProcessInfo, Sample } from '../model/sample.js';
import type { Limits } from './limits.js';
import type { ResourceControl } from './resource-control.js';
import type { SavedIncidents } from './saved.js';
import type { Time } from './time.js';
import { kernelsMemoryLimit, outOfMemoryText } from './why.js';

/** Longest time between the OOM kill of a process and its end: it has to free its memory first. */
const OOM_DEATH_MS = 30_000;

/** If the job ends within this time of a kill, the line about its end reports the kill and there is no warning. */
const WARN_AFTER_MS = 1_000;

/** Follows what the kernel does to a box at its limits: OOM kills and refused forks. */
export interface Incidents {
  /**
   * Emits events for what is new. The OOM killer may have killed a child while the job continues.
   * @param processes the largest processes
   * @param usage as a sample has just read it
   */
  notice(processes: readonly ProcessInfo[], usage: CgroupUsage | null): void;
  /** True if the OOM killer killed a process of the box so recently that this may be what ends the job. */
  readonly oomKilled: boolean;
  /** All OOM kills so far. */
  readonly oom: { readonly kills: number; readonly peakBytes: number };
  /** For another process that goes on with the box. */
  save(): SavedIncidents;
  /** The box has ended. @param told the line about its end reports the kills */
  close(told: boolean): void;
}

export interface IncidentsOptions {
  readonly saved?: SavedIncidents | undefined;
  readonly resources: ResourceControl;
  readonly limits: Limits;
  readonly time: Time;
  readonly log: Logger;
  readonly emitEvent: (body: EventBody) => void;
  readonly lastSample: () => Sample | undefined;
}

export function createIncidents(options: IncidentsOptions): Incidents {
  const { resources, limits, time, log, emitEvent, lastSample } = options;
  let oomAtMs = options.saved?.oomAtMs ?? Number.NEGATIVE_INFINITY;
  let all = { kills: options.saved?.kills ?? 0, peakBytes: options.saved?.peakBytes ?? 0 };
  let untold = 0;
  const warn = () => {
    if (untold > 0) log.warn(outOfMemoryText(untold, kernelsMemoryLimit(limits), all.peakBytes));
    untold = 0;
  };
  const late = time.createTimer(warn, true);
  return {
    notice(processes, usage) {
      const { oomKills, forksRefused, memoryPeakBytes } = resources.incidents(usage);
      const pids = limits.get('pids');
      if (forksRefused > 0 && pids !== undefined) {
        emitEvent({ event: 'limit_exceeded', limit: 'pids', status: pids, used: null, processes });
      }
      if (oomKills === 0) return;
      oomAtMs = time.now();
      const peak = lastSample()?.MemoryPeak;
      const peakBytes = memoryPeakBytes ?? peak?.cgroup ?? peak?.rss ?? 0;
      all = { kills: all.kills + oomKills, peakBytes };
      if (untold === 0) late.start(WARN_AFTER_MS);
      untold += oomKills;
      emitEvent({
        event: 'oom',
        kills: oomKills,
        // The OOM killer does not act on a limit that the watchdog holds.
        limit: kernelsMemoryLimit(limits),
        memory_peak_bytes: peakBytes,
        processes,
      });
    },
    get oomKilled() {
      return time.now() - oomAtMs < OOM_DEATH_MS;
    },
    get oom() {
      return all;
    },
    save: () => ({ oomAtMs: Number.isFinite(oomAtMs) ? oomAtMs : null, ...all }),
    close(told) {
      late.stop();
      if (!told) warn();
    },
  };
}
