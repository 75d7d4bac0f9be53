import type { CgroupUsage } from '../cgroup/usage.js';
import type { Logger } from '../log.js';
import type { EventBody } from '../model/event.js';
import type { ProcessInfo, Sample } from '../model/sample.js';
import type { Limits } from './limits.js';
import type { ResourceControl } from './resource-control.js';
import type { Time } from './time.js';
import { kernelsMemoryLimit, outOfMemoryText } from './why.js';

/** Longest time that the end of a process which the kernel kills for memory may take: it gives its memory back first. */
const OOM_DEATH_MS = 30_000;

/** The job may end of a kill at once: then the line about its end tells, and no warning before it. */
const WARN_AFTER_MS = 1_000;

/** What the kernel has done about the limits of a box. */
export interface Incidents {
  /**
   * Looks, and tells what is new; the OOM killer may have taken a child while the job goes on.
   * @param processes the largest
   * @param usage as a sample has just read it; undefined reads it now
   */
  notice(processes: readonly ProcessInfo[], usage?: CgroupUsage | null): void;
  /** A process of the box was killed for memory so lately that the end of the job may come of it. */
  readonly oomKilled: boolean;
  /** All that was killed for memory so far. */
  readonly oom: { readonly kills: number; readonly peakBytes: number };
  /** The box is over. @param told the line about its end tells of the kills */
  close(told: boolean): void;
}

export interface IncidentsOptions {
  readonly resources: ResourceControl;
  readonly limits: Limits;
  readonly time: Time;
  readonly log: Logger;
  readonly tell: (body: EventBody) => void;
  readonly lastSample: () => Sample | undefined;
}

export function createIncidents(options: IncidentsOptions): Incidents {
  const { resources, limits, time, log, tell, lastSample } = options;
  let oomAtMs = Number.NEGATIVE_INFINITY;
  let all = { kills: 0, peakBytes: 0 };
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
        tell({ event: 'limit_exceeded', limit: 'pids', status: pids, used: null, processes });
      }
      if (oomKills === 0) return;
      oomAtMs = time.now();
      const peak = lastSample()?.MemoryPeak;
      const peakBytes = memoryPeakBytes ?? peak?.cgroup ?? peak?.rss ?? 0;
      all = { kills: all.kills + oomKills, peakBytes };
      if (untold === 0) late.start(WARN_AFTER_MS);
      untold += oomKills;
      tell({
        event: 'oom',
        kills: oomKills,
        // What the watchdog holds is no limit of the kernel's.
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
    close(told) {
      late.stop();
      if (!told) warn();
    },
  };
}
