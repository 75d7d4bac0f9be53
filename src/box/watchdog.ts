import { Timer } from 'cgroup-utils-native';
import type { WatchedName } from '../options/table/limits.js';

/**
 * Holds by sampling what no control group holds: memory and processes of the tree, and CPU time. It looks often enough
 * that a process which fills 1 GB a second gets 300 MB beyond its limit at most, and seldom enough to cost at most half
 * a percent of a core: where looking takes long (large trees) it looks less often.
 */
export interface Watchdog {
  /** Watches this limit, or no more. */
  watch(name: WatchedName, limit: number | 'unlimited'): void;
  stop(): void;
}

/** Of the whole box: bytes, processes and threads, ms. */
export type Watched = Readonly<Record<WatchedName, number>>;

export const PERIOD_MS = 200;
const COST_SHARE = 0.005;

export interface WatchdogOptions {
  /** Looks at the box now; a figure may be taken only when it is read. */
  readonly look: () => Watched;
  readonly onExceeded: (name: WatchedName, used: number, limit: number) => void;
  /** Each look, also below the limit. */
  readonly onLooked: (name: WatchedName, used: number) => void;
  /** CPU time of this process, ms: what a look costs. */
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
