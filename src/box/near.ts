import type { EventBody } from '../model/event.js';
import type { Limits } from './limits.js';
import type { SavedNear } from './saved.js';

/** Emits `limit_near` before a limit is reached: once per threshold and value of the limit. */
export interface Near {
  /** Reports the present usage of a limit, in its unit. */
  used(name: string, amount: number): void;
  /** Returns the usage that reaches the limit's next threshold; null if no threshold is left or there is no such limit. */
  next(name: string): number | null;
  /** For another process that goes on with the box. */
  save(): SavedNear;
  /** For each limit the highest threshold, in percent, that was reached under its present value. */
  readonly reached: Readonly<Record<string, number>>;
}

export interface NearOptions {
  readonly saved?: SavedNear | undefined;
  /** In percent, ascending. */
  readonly thresholds: readonly number[];
  readonly limits: Limits;
  readonly emitEvent: (body: EventBody) => void;
}

export function createNear({ thresholds, limits, emitEvent, saved = [] }: NearOptions): Near {
  /** How many thresholds were passed, and under which value of the limit. */
  const passed = new Map(saved);
  const limitOf = (name: string): number | null => {
    const limit = limits.get(name);
    return limit === undefined || typeof limit.value !== 'number' || limit.enforcement === 'none' ? null : limit.value;
  };
  const countOf = (name: string): number => {
    const known = passed.get(name);
    return known === undefined || known.value !== limitOf(name) ? 0 : known.count;
  };
  return {
    used(name, amount) {
      const value = limitOf(name);
      const status = limits.get(name);
      if (value === null || status === undefined) return;
      for (let count = countOf(name); count < thresholds.length; count++) {
        const percent = thresholds[count]!;
        if (amount < share(value, percent)) return;
        passed.set(name, { value, count: count + 1 });
        emitEvent({ event: 'limit_near', limit: name, status, threshold_percent: percent, used: amount });
      }
    },
    next(name) {
      const value = limitOf(name);
      const percent = thresholds[countOf(name)];
      return value === null || percent === undefined ? null : share(value, percent);
    },
    save: () => [...passed],
    get reached() {
      const entries = [...passed.keys()].flatMap((name) => {
        const count = countOf(name);
        return count === 0 ? [] : [[name, thresholds[count - 1]!] as const];
      });
      return Object.fromEntries(entries);
    },
  };
}

export function share(value: number, percent: number): number {
  return (value / 100) * percent;
}
