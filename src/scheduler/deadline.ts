import type { Deadline } from '../options/time-limit.js';
import { type Environment, findScheduler } from './identity.js';

/**
 * For a job without a time limit, Slurm gives an end 365 days after the start. A step that starts later sees less than
 * a year ahead of it, so an end more than 364 days away also counts as no limit.
 */
const YEAR_MS = 365 * 24 * 3600 * 1000;
export const SLURM_HORIZON_MS = YEAR_MS - 24 * 3600 * 1000;

/**
 * When the scheduler will end this job, if its environment says so: in `SLURM_JOB_END_TIME` (newer Slurm, seconds since
 * the epoch) or `PBS_WALLTIME` (`HH:MM:SS` or seconds, counted from now, because the wrapper starts with the job).
 * Never throws; a value that does not parse counts as unknown.
 * @param nowMs ms since the epoch
 */
export function jobDeadline(environment: Environment, nowMs: number): Deadline {
  const scheduler = findScheduler(environment);
  switch (scheduler) {
    case 'slurm': {
      const endMs = epochMs(environment['SLURM_JOB_END_TIME']);
      const startMs = epochMs(environment['SLURM_JOB_START_TIME']);
      return { scheduler, remainingMs: endMs - startMs >= YEAR_MS ? null : within(endMs - nowMs, SLURM_HORIZON_MS) };
    }
    case 'pbs':
      return { scheduler, remainingMs: within(clockMs(environment['PBS_WALLTIME'] ?? '')) };
    default:
      return { scheduler, remainingMs: null };
  }
}

function within(remainingMs: number, horizonMs = Number.MAX_SAFE_INTEGER): number | null {
  return remainingMs > 0 && remainingMs <= horizonMs ? remainingMs : null;
}

/** ms since the epoch of Slurm's whole seconds; NaN for anything else. */
function epochMs(seconds = ''): number {
  return /^\d{1,12}$/.test(seconds) ? Number(seconds) * 1000 : Number.NaN;
}

/** ms of `[[HH:]MM:]SS`, NaN for anything else. */
function clockMs(text: string): number {
  if (!/^\d{1,9}(?::\d{1,2}){0,2}$/.test(text)) return Number.NaN;
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1000;
}
