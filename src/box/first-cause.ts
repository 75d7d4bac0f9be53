import type { Lifecycle } from './lifecycle.js';

/**
 * Whether what was asked for has ended the job, or the job had ended by itself before. The order in which we hear of it says
 * nothing: the end of a process and a signal that came after it may reach us in either order. Times do, all of them
 * CLOCK_MONOTONIC of the moment itself: when the keeper reaped the main process, when a signal came, when a command was
 * carried out.
 */
export interface FirstCause {
  /** Call after each step of the life. @param atMs when that was asked for which the step has carried out */
  stepped(before: Lifecycle, after: Lifecycle, atMs: number): void;
  /** The keeper, beside the job, has seen a signal that the wrapper got as well: perhaps earlier. */
  witnessed(signal: string, atMs: number): void;
  mainEnded(atMs: number): void;
  /** The keeper had begun the end that is under way before this process did. */
  begunByKeeper(atMs: number): void;
  /** The life without what came after the end of the main process. */
  of(life: Lifecycle): Lifecycle;
}

/** Wrapper and keeper see one signal at most so far apart. */
const APART_MS = 1_000;
/** A scheduler that signals every process of a job may reach the job this much before us: its signals go out one by one. */
const SPREAD_MS = 250;

export function createFirstCause(): FirstCause {
  let endingAtMs = Number.POSITIVE_INFINITY;
  let killAtMs = Number.POSITIVE_INFINITY;
  let endedAtMs = Number.POSITIVE_INFINITY;
  let signal: string | undefined;
  let witness: { readonly signal: string; readonly atMs: number } | undefined;
  const compare = () => {
    if (witness === undefined || witness.signal !== signal) return;
    if (Math.abs(witness.atMs - endingAtMs) <= APART_MS) endingAtMs = Math.min(endingAtMs, witness.atMs);
  };
  return {
    stepped(before, after, atMs) {
      if (after.lastKill !== before.lastKill) killAtMs = atMs;
      if (before.ending !== null || after.ending === null) return;
      // What has passed this limit was written before, and is cut: the job's output is not whole, however soon it ended.
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
    of: (life) => ({
      ...life,
      ending: endingAtMs > endedAtMs ? null : life.ending,
      lastKill: killAtMs > endedAtMs ? null : life.lastKill,
    }),
  };
}
