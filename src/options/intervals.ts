import { SpecError } from '../errors.js';
import { parseDuration } from './units.js';
import { quote } from './words.js';

/** Parsers for the intervals of repeated actions. */

const INTERVAL_MIN_MS = 10;

/** Parses the argument of `change_sample_rate` and the value of `ctl --resend`. @returns ms, at least 10. @throws SpecError */
export function parseInterval(text: string): number {
  const ms = parseDuration(text);
  if (ms < INTERVAL_MIN_MS) {
    throw new SpecError(`${quote(text)} is too short: expected at least 10ms, for example "10s"`);
  }
  return ms;
}

/** Parses the value of `--sint`. @returns ms, at least 10, or 0 for no periodic sampling. @throws SpecError */
export function parseSampleInterval(text: string): number {
  if (parseDuration(text) === 0) return 0;
  return parseInterval(text);
}
