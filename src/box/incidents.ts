import type { CgroupUsage } from '../cgroup/usage.js';
import type { Logger } from '../log.js';
import type { EventBody } from '../stats/event.js';
import type { ProcessInfo, Sample } from '../stats/sample.js';
import type { Limits } from './limits.js';
import type { ResourceControl } from './resource-control.js';

/** Longest time that the end of a process which the kernel kills for memory may take: it gives its memory back first. */
const OOM_DEATH_MS = 30_000;

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
}

export interface IncidentsOptions {
  readonly resources: ResourceControl;
  readonly limits: Limits;
  /** CLOCK_MONOTONIC, ms. */
  readonly now: () => number;
  readonly log: Logger;
  readonly tell: (body: EventBody) => void;
  readonly lastSample: () => Sample | undefined;
}

export function createIncidents(options: IncidentsOptions): Incidents {
  const { resources, limits, now, log, tell, lastSample } = options;
  let oomAtMs = Number.NEGATIVE_INFINITY;
  return {
    notice(processes, usage) {
      const { oomKills, forksRefused, memoryPeakBytes } = resources.incidents(usage);
      const pids = limits.get('pids');
      if (forksRefused > 0 && pids !== undefined) {
        tell({ event: 'limit_exceeded', limit: 'pids', status: pids, used: null, processes });
      }
      if (oomKills === 0) return;
      oomAtMs = now();
      log.warn(`out of memory: the kernel has killed ${oomKills} processes of the box`);
      const peak = lastSample()?.MemoryPeak;
      const memory = limits.get('memory');
      tell({
        event: 'oom',
        kills: oomKills,
        // What the watchdog holds is no limit of the kernel's.
        limit: memory?.enforcement === 'cgroup2' || memory?.enforcement === 'cgroup1' ? memory : null,
        memory_peak_bytes: memoryPeakBytes ?? peak?.cgroup ?? peak?.rss ?? 0,
        processes,
      });
    },
    get oomKilled() {
      return now() - oomAtMs < OOM_DEATH_MS;
    },
  };
}
