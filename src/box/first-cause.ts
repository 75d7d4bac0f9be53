import type { Lifecycle } from './lifecycle.js';
import type { SavedCause } from './saved.js';

/**
 * Decides whether a request ended the job, or the job had already ended by itself. The order in which this process learns
 * of the two says nothing, because the end of a process and a later signal may arrive here in either order. So it compares
 * the times of the events themselves (CLOCK_MONOTONIC, ms): when the keeper reaped the main process, when a signal came,
 * when a command was carried out.
 */
export interface FirstCause {
  /** Call after each step of the life cycle. @param atMs when the step was asked for */
  stepped(before: Lifecycle, after: Lifecycle, atMs: number): void;
  /** The keeper got the same signal as the wrapper, perhaps earlier. */
  witnessed(signal: string, atMs: number): void;
  mainEnded(atMs: number): void;
  /** The keeper began to end the job before this process did. */
  begunByKeeper(atMs: number): void;
  /** For another process that goes on with the box. */
  save(): SavedCause;
  /** Returns the life cycle without the requests that came after the end of the main process. */
  of(life: Lifecycle): Lifecycle;
}

/** Longest time between the arrival of one signal at the wrapper and at the keeper. */
const APART_MS = 1_000;
/** A scheduler signals the processes of a job one by one, so the job may get its signal this much before the wrapper. */
const SPREAD_MS = 250;

export function createFirstCause(saved?: SavedCause): FirstCause {
  let endingAtMs = saved?.endingAtMs ?? Number.POSITIVE_INFINITY;
  let killAtMs = saved?.killAtMs ?? Number.POSITIVE_INFINITY;
  let endedAtMs = Number.POSITIVE_INFINITY;
  let signal = saved?.signal ?? undefined;
  let witness: { readonly signal: string; readonly atMs: number } | undefined;
  const compare = () => {
    if (witness === undefined || witness.signal !== signal) return;
    if (Math.abs(witness.atMs - endingAtMs) <= APART_MS) endingAtMs = Math.min(endingAtMs, witness.atMs);
  };
  return {
    stepped(before, after, atMs) {
      if (after.lastKill !== before.lastKill) killAtMs = atMs;
      if (before.ending !== null || after.ending === null) return;
      // The excess output was written before and is cut off, so the output is incomplete however soon the job ended.
      const { reason } = after.ending;
      endingAtMs =
        reason === 'stdoutlimit' ? Number.NEGATIVE_INFINITY : reason === 'scheduler' ? atMs - SPREAD_MS : atMs;
      signal = after.ending.by.signal;
      compare();
    },
    witnessed(name, atMs) {
      witness = { signal: name, atMs };
      compare();
    },
    mainEnded(atMs) {
      endedAtMs = atMs;
    },
    begunByKeeper(atMs) {
      endingAtMs = Math.min(endingAtMs, atMs);
    },
    save: () => ({
      // The excess output (see above) came before everything else.
      endingAtMs: endingAtMs === Number.NEGATIVE_INFINITY ? 0 : finite(endingAtMs),
      killAtMs: finite(killAtMs),
      signal: signal ?? null,
    }),
    of: (life) => ({
      ...life,
      ending: endingAtMs > endedAtMs ? null : life.ending,
      lastKill: killAtMs > endedAtMs ? null : life.lastKill,
    }),
  };
}

function finite(ms: number): number | null {
  return Number.isFinite(ms) ? ms : null;
}
