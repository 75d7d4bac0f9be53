import type { Resolved } from './resolve.js';
import type { JobIdentity, Source } from './spec.js';

/** What the box's scheduler says about the job's end; scheduler/deadline.ts. */
export interface Deadline {
  readonly scheduler: JobIdentity['scheduler'];
  /** Time left to the job's own end, ms; null where unknown. */
  readonly remainingMs: number | null;
}

export interface TimeLimit {
  /** ms; 0 means none. */
  readonly limitMs: number;
  readonly source: Source;
  /** The scheduler is to be asked where its environment does not tell. */
  readonly asked: boolean;
}

/** Inside a scheduler's job the default is the job's own end, or none where that is unknown; outside there is none. */
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
 * The box stops itself a little before its scheduler ends the job, so that the reason is its own and is told.
 * @param endMs from the box's start
 */
export function stopBeforeMs(endMs: number): number {
  const marginMs = Math.min(MARGIN_MAX_MS, endMs * MARGIN_SHARE);
  return Math.max(1, Math.round(endMs - marginMs));
}
