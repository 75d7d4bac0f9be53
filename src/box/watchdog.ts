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
export type Watched = Readonly<Partial<Record<WatchedName, number>>>;

export interface Look {
  readonly watched: Watched;
  /** CPU time that the look has taken, ms. Unlike wall time, it does not count waits for a CPU. */
  readonly costMs: number;
}

export const PERIOD_MS = 200;
const COST_SHARE = 0.005;
const NOTHING: Look = { watched: {}, costMs: 0 };

export interface WatchdogOptions {
  /** Measures the box now. Rejects if the keeper has gone, whose end ends the box. */
  readonly look: (names: readonly WatchedName[]) => Promise<Look>;
  readonly onExceeded: (name: WatchedName, used: number, limit: number) => void;
  /** Called after each look for each limit, even below the limit. */
  readonly onLooked: (name: WatchedName, used: number) => void;
}

export function createWatchdog({ look, onExceeded, onLooked }: WatchdogOptions): Watchdog {
  const limits = new Map<WatchedName, number>();
  const told = new Set<WatchedName>();
  let looking = false;
  const check = (watched: Watched) => {
    for (const [name, limit] of limits) {
      const used = watched[name];
      // A limit that has been set during the look is checked at the next one.
      if (used === undefined) continue;
      onLooked(name, used);
      if (used <= limit || told.has(name)) continue;
      told.add(name);
      onExceeded(name, used, limit);
    }
  };
  const lookNow = async () => {
    looking = true;
    const seen = await look([...limits.keys()]).catch(() => NOTHING);
    looking = false;
    check(seen.watched);
    arm(Math.max(PERIOD_MS, seen.costMs / COST_SHARE));
  };
  const timer = new Timer(() => void lookNow());
  const arm = (ms: number) => {
    if (limits.size > 0 && !looking && !timer.active) timer.start(Math.ceil(ms));
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
