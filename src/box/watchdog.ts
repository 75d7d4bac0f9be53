import { Timer } from 'cgroup-utils-native';
import type { WatchedName } from '../options/table/limits.js';

/**
 * Enforces by sampling the limits that no control group enforces: memory, processes and CPU time of the tree. It looks often
 * enough that a process which allocates 1 GB per second gets at most 300 MB beyond its limit, and rarely enough to use at
 * most half a percent of a core: if a look takes long because the tree is large, it looks less often.
 */
export interface Watchdog {
  /** Starts to watch a limit, or stops if `limit` is `unlimited`. */
  watch(name: WatchedName, limit: number | 'unlimited'): void;
  stop(): void;
}

/** Usage of the whole box: `memory` in bytes, `pids` in processes and threads, `cpu-time` in ms. */
export type Watched = Readonly<Record<WatchedName, number>>;

export const PERIOD_MS = 200;
const COST_SHARE = 0.005;

export interface WatchdogOptions {
  /** Measures the box now. A figure may be a getter that measures only when it is read. */
  readonly look: () => Watched;
  readonly onExceeded: (name: WatchedName, used: number, limit: number) => void;
  /** Called after each look for each limit, even below the limit. */
  readonly onLooked: (name: WatchedName, used: number) => void;
  /** Returns the CPU time of this process in ms, to tell what a look costs. */
  readonly now: () => number;
}

export function createWatchdog({ look, onExceeded, onLooked, now }: WatchdogOptions): Watchdog {
  const limits = new Map<WatchedName, number>();
  const told = new Set<WatchedName>();
  const timer = new Timer(() => {
    const before = now();
    const watched = look();
    for (const [name, limit] of limits) {
      const used = watched[name];
      onLooked(name, used);
      if (used <= limit || told.has(name)) continue;
      told.add(name);
      onExceeded(name, used, limit);
    }
    arm(Math.max(PERIOD_MS, (now() - before) / COST_SHARE));
  });
  const arm = (ms: number) => {
    if (limits.size > 0 && !timer.active) timer.start(Math.ceil(ms));
  };

  return {
    watch(name, limit) {
      told.delete(name);
      if (limit === 'unlimited') limits.delete(name);
      else limits.set(name, limit);
      if (limits.size > 0) arm(PERIOD_MS);
      else this.stop();
    },
    stop() {
      timer.stop();
      limits.clear();
    },
  };
}
