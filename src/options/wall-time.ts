import { isSpecError, SpecError } from '../errors.js';
import { parseDuration } from './units.js';
import { quote } from './words.js';

/** Parses time limits in the forms of Slurm, PBS and timeout(1). */

const FORMS =
  'expected a duration ("1h30m", "1d12h"), seconds ("90"), or as in Slurm MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS';
/** The first number may be any: `90:00` is 90 minutes. Those after it must be below the next larger unit. */
const CLOCK = /^(?:(\d{1,6}):)?(\d{1,8}):(\d{1,2})$/;
const DAYS = /^(\d{1,6})-(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?$/;

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * Parses `1h30m`, `1d`, `90` (seconds, as in timeout(1)), and `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM`, `D-HH:MM:SS` as in sbatch(1).
 * @returns ms
 * @throws SpecError that lists the forms
 */
export function parseWallTime(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text) * SECOND_MS;
  const ms = clockMs(text) ?? daysMs(text);
  if (ms !== undefined) return ms;
  try {
    return parseDuration(text);
  } catch (cause) {
    if (!isSpecError(cause) || /is negative|too long/.test(cause.message)) throw cause;
    throw new SpecError(`${quote(text)} is not a time limit: ${FORMS}`, { cause });
  }
}

function clockMs(text: string): number | undefined {
  const [whole, hours, minutes, seconds] = CLOCK.exec(text) ?? [];
  if (whole === undefined || Number(seconds) >= 60) return undefined;
  if (hours !== undefined && (minutes!.length > 2 || Number(minutes) >= 60)) return undefined;
  return Number(hours ?? 0) * HOUR_MS + Number(minutes) * MINUTE_MS + Number(seconds) * SECOND_MS;
}

function daysMs(text: string): number | undefined {
  const [whole, days, hours, minutes = '0', seconds = '0'] = DAYS.exec(text) ?? [];
  if (whole === undefined || Number(hours) >= 24 || Number(minutes) >= 60 || Number(seconds) >= 60) return undefined;
  return Number(days) * DAY_MS + Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS + Number(seconds) * SECOND_MS;
}
