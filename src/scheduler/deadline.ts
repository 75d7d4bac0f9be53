import type { Deadline } from '../spec/time-limit.js';
import { type Environment, findScheduler } from './identity.js';

/** Beyond this a scheduler's end of a job is its way of saying none. */
export const HORIZON_MS = 10 * 365 * 24 * 3600 * 1000;

/**
 * When the scheduler will end this job, where its environment says so: `SLURM_JOB_END_TIME` (newer Slurm, epoch
 * seconds), `PBS_WALLTIME` (`HH:MM:SS` or seconds, counted from now: the wrapper starts with the job).
 * Never throws; what does not parse counts as unknown.
 * @param nowMs ms since the epoch
 */
export function jobDeadline(environment: Environment, nowMs: number): Deadline {
  const scheduler = findScheduler(environment);
  switch (scheduler) {
    case 'slurm': {
      const end = environment['SLURM_JOB_END_TIME'] ?? '';
      return { scheduler, remainingMs: /^\d{1,12}$/.test(end) ? within(Number(end) * 1000 - nowMs) : null };
    }
    case 'pbs':
      return { scheduler, remainingMs: within(clockMs(environment['PBS_WALLTIME'] ?? '')) };
    default:
      return { scheduler, remainingMs: null };
  }
}

function within(remainingMs: number): number | null {
  return remainingMs > 0 && remainingMs <= HORIZON_MS ? remainingMs : null;
}

/** ms of `[[HH:]MM:]SS`, NaN for anything else. */
function clockMs(text: string): number {
  if (!/^\d{1,9}(?::\d{1,2}){0,2}$/.test(text)) return Number.NaN;
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1000;
}
