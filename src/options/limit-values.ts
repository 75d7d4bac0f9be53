import { SpecError } from '../errors.js';
import { isNone, isUnlimited, parseCount, parseSize } from './units.js';
import { parseWallTime } from './wall-time.js';

/** Parsers for the limits in options and `set_limit`. Those for control groups are in resources.ts. */

/** Parses a time limit in the forms of wall-time.ts. @returns ms; 0 (also `unlimited`, `infinity`) means no limit. @throws SpecError */
export function parseTimeLimit(text: string): number {
  return isUnlimited(text) ? 0 : parseWallTime(text);
}

/** Parses the value of `--timeout`. @returns ms, 0 for no limit, or `scheduler`. @throws SpecError */
export function parseTimeout(text: string): number | 'scheduler' {
  if (text === 'scheduler') return text;
  try {
    return parseTimeLimit(text);
  } catch (cause) {
    throw new SpecError(`${(cause as Error).message}, or "scheduler"`, { cause });
  }
}

/** Parses a limit in bytes. @returns bytes; 0 (also `unlimited`, `infinity`) means no limit. @throws SpecError */
export function parseByteLimit(text: string): number {
  return isUnlimited(text) ? 0 : parseSize(text);
}

/** Parses a limit of processes and threads; 0 means no limit. @throws SpecError */
export function parsePids(text: string): number | 'unlimited' {
  return isNone(text) ? 'unlimited' : parseCount(text, 1, 4_194_304);
}
