import { Timer } from 'cgroup-utils-native';
import type { CountedName } from '../options/table/limits.js';

/**
 * Looks at what the kernel holds by itself, so that its thresholds are noticed between samples: one small file for each
 * limit, seldom while there is room, more often near a threshold, and no more once all of them were passed.
 */
export interface NearWatch {
  /** Watches this limit, or no more where `next` has nothing for it. */
  watch(name: CountedName): void;
  stop(): void;
}

export interface NearWatchOptions {
  /** What the kernel counts against the limit now; null where it cannot be read. */
  readonly charged: (name: CountedName) => number | null;
  /** Of the charged memory what cannot be given back; asked for only where all of it would be near. */
  readonly busyMemory: () => number | null;
  readonly next: (name: CountedName) => number | null;
  readonly onUsed: (name: CountedName, used: number) => void;
}

const SOONEST_MS = 100;
const LATEST_MS = 2_000;
/** Page cache fills the group; it says nothing of what is to come, and memory.stat is dear. */
const CACHE_MS = 1_000;
/** What a fast job fills. */
const PER_MS: Readonly<Record<CountedName, number>> = { memory: 2 ** 20, pids: 0.1 };

export function createNearWatch({ charged, busyMemory, next, onUsed }: NearWatchOptions): NearWatch {
  const names = new Set<CountedName>();
  /** @returns ms until the next look; null where there is nothing more to see */
  const look = (name: CountedName): number | null => {
    const threshold = next(name);
    if (threshold === null) return null;
    const all = charged(name) ?? 0;
    const used = all >= threshold && name === 'memory' ? (busyMemory() ?? all) : all;
    if (used >= threshold) onUsed(name, used);
    if (all >= threshold && used < threshold) return CACHE_MS;
    const left = (next(name) ?? Number.POSITIVE_INFINITY) - used;
    return Math.min(LATEST_MS, Math.max(SOONEST_MS, left / PER_MS[name]));
  };
  const timer = new Timer(() => {
    let waitMs = Number.POSITIVE_INFINITY;
    for (const name of names) {
      const ms = look(name);
      if (ms === null) names.delete(name);
      else waitMs = Math.min(waitMs, ms);
    }
    if (names.size > 0) timer.start(Math.ceil(waitMs));
  }, true);
  return {
    watch(name) {
      names.add(name);
      timer.start(SOONEST_MS);
    },
    stop() {
      timer.stop();
      names.clear();
    },
  };
}
