import { Timer } from 'cgroup-utils-native';
import type { CountedName } from '../options/table/limits.js';

/**
 * Watches limits that the kernel holds, so that their --near thresholds are noticed between samples. It reads one small
 * file per limit: rarely while there is room, more often near a threshold, and not at all once every threshold has passed.
 */
export interface NearWatch {
  /** Watches this limit until `next` has no threshold left for it. */
  watch(name: CountedName): void;
  stop(): void;
}

export interface NearWatchOptions {
  /** Returns what the kernel counts against the limit now; null if that cannot be read. */
  readonly charged: (name: CountedName) => Promise<number | null>;
  /** Returns the charged memory that cannot be reclaimed, in bytes. Called only if all charged memory passes the threshold. */
  readonly busyMemory: () => Promise<number | null>;
  /** Returns the usage that reaches the limit's next threshold; null if there is none. */
  readonly next: (name: CountedName) => number | null;
  readonly onUsed: (name: CountedName, used: number) => void;
}

const SOONEST_MS = 100;
const LATEST_MS = 2_000;
/** Interval while page cache fills the group. That predicts nothing, and reading memory.stat is expensive. */
const CACHE_MS = 1_000;
/** How fast a greedy job uses up its limit: bytes or processes per ms. */
const PER_MS: Readonly<Record<CountedName, number>> = { memory: 2 ** 20, pids: 0.1 };

export function createNearWatch({ charged, busyMemory, next, onUsed }: NearWatchOptions): NearWatch {
  const names = new Set<CountedName>();
  /** @returns ms until the next look; null if no threshold is left */
  const look = async (name: CountedName): Promise<number | null> => {
    const threshold = next(name);
    if (threshold === null) return null;
    const all = (await charged(name)) ?? 0;
    const used = all >= threshold && name === 'memory' ? ((await busyMemory()) ?? all) : all;
    if (used >= threshold) onUsed(name, used);
    if (all >= threshold && used < threshold) return CACHE_MS;
    const left = (next(name) ?? Number.POSITIVE_INFINITY) - used;
    return Math.min(LATEST_MS, Math.max(SOONEST_MS, left / PER_MS[name]));
  };
  let looking = false;
  /** A limit was set during a look, which may have seen the old one. */
  let again = false;
  const lookNow = async () => {
    looking = true;
    let waitMs = Number.POSITIVE_INFINITY;
    for (const name of names) {
      // If the keeper has gone, the box ends.
      const ms = await look(name).catch(() => LATEST_MS);
      if (ms === null && !again) names.delete(name);
      else waitMs = Math.min(waitMs, ms ?? SOONEST_MS);
    }
    looking = false;
    if (names.size > 0) timer.start(Math.ceil(again ? SOONEST_MS : waitMs));
    again = false;
  };
  const timer = new Timer(() => void lookNow(), true);
  return {
    watch(name) {
      names.add(name);
      again = looking;
      if (!looking) timer.start(SOONEST_MS);
    },
    stop() {
      timer.stop();
      names.clear();
    },
  };
}
