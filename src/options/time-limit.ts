import type { Resolved } from './resolve.js';
import type { JobIdentity, Source } from './spec.js';

/** What the scheduler says about the end of its job; scheduler/deadline.ts finds it out. */
export interface Deadline {
  readonly scheduler: JobIdentity['scheduler'];
  /** Time until the end of the scheduler's job; null if unknown. */
  readonly remainingMs: number | null;
}

export interface TimeLimit {
  /** 0 means no limit. */
  readonly limitMs: number;
  readonly source: Source;
  /** True if the scheduler is to be asked when its environment does not say. */
  readonly asked: boolean;
}

/** Decides the time limit. Inside a scheduler's job the default is a little before that job's end, or no limit if it is unknown. */
export function timeLimit(timeout: Resolved<number | 'scheduler'>, deadline: Deadline): TimeLimit {
  const { value, source } = timeout;
  const { scheduler, remainingMs } = deadline;
  if (value !== 'scheduler' && (source !== 'default' || scheduler === 'none')) {
    return { limitMs: value, source, asked: false };
  }
  const limitMs = remainingMs === null ? 0 : stopBeforeMs(remainingMs);
  return { limitMs, source: 'scheduler', asked: value === 'scheduler' };
}

const MARGIN_MAX_MS = 5_000;
const MARGIN_SHARE = 0.1;

/**
 * Returns when to stop the box: a little before its scheduler ends the job, so that the box itself can report the reason.
 * @param endMs time from the box's start to the end of the scheduler's job
 */
export function stopBeforeMs(endMs: number): number {
  const marginMs = Math.min(MARGIN_MAX_MS, endMs * MARGIN_SHARE);
  return Math.max(1, Math.round(endMs - marginMs));
}
