import { Timer } from 'cgroup-utils-native';
import type { WatchedName } from '../options/table/limits.js';
import { createPace, type Pace, PERIOD_MS } from './pace.js';

/**
 * Enforces by sampling the limits that no control group enforces: memory, processes and CPU time of the tree. The first look comes
 * with the start. Later ones come every 200 ms, and sooner if memory may pass its limit sooner (`pace.ts`). Looking at a box that
 * does not grow takes at most half a percent of a core: if a look takes long because the tree is large, it looks less often.
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

/** The share of a core that looks may take: at the usual pace, and while memory may pass its limit before the next look. */
const COST_SHARE = 0.005;
const HURRIED_SHARE = 0.05;
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
  let pace: Pace | undefined;
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
    const soonMs = untilMemory(seen.watched.memory);
    arm(Math.max(soonMs, seen.costMs / (soonMs < PERIOD_MS ? HURRIED_SHARE : COST_SHARE)));
  };
  const untilMemory = (used: number | undefined) => {
    const limit = limits.get('memory');
    if (used === undefined || limit === undefined || told.has('memory')) return PERIOD_MS;
    return pace?.next(used, limit, performance.now()) ?? PERIOD_MS;
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
      if (name === 'memory') pace = createPace(performance.now());
      if (limits.size > 0) arm(0);
      else this.stop();
    },
    stop() {
      timer.stop();
      limits.clear();
    },
  };
}
