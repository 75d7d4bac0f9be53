import { SpecError } from '../errors.js';
import { isNone, isUnlimited, parseCount, parseSize } from './units.js';
import { parseWallTime } from './wall-time.js';

/** Values of limits, as options and `set_limit` take them. Those of control groups are in resources.ts. */

/** A limit of time; forms in wall-time.ts. @returns ms; 0 (also `unlimited`, `infinity`) means none. @throws SpecError */
export function parseTimeLimit(text: string): number {
  return isUnlimited(text) ? 0 : parseWallTime(text);
}

/** The value of `--timeout`. @returns ms, 0 for none, or `scheduler`. @throws SpecError */
export function parseTimeout(text: string): number | 'scheduler' {
  if (text === 'scheduler') return text;
  try {
    return parseTimeLimit(text);
  } catch (cause) {
    throw new SpecError(`${(cause as Error).message}, or "scheduler"`, { cause });
  }
}

/** A limit in bytes. @returns bytes; 0 (also `unlimited`, `infinity`) means none. @throws SpecError */
export function parseByteLimit(text: string): number {
  return isUnlimited(text) ? 0 : parseSize(text);
}

/** Processes and threads; 0 means none. @throws SpecError */
export function parsePids(text: string): number | 'unlimited' {
  return isNone(text) ? 'unlimited' : parseCount(text, 1, 4_194_304);
}
