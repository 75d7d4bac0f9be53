import { isSpecError, SpecError } from '../errors.js';
import type { LimitStatus } from '../model/sample.js';
import { amount } from '../options/amounts.js';
import { isRlimitName, parseRlimitAmount, RLIMITS } from '../options/rlimits.js';
import type { LimitRow } from '../options/table/limit.js';
import { parseCount, parseSize } from '../options/units.js';
import { parseWallTime } from '../options/wall-time.js';
import { quote } from '../options/words.js';

/** True if `set_limit` is to change the limit in force by this amount instead of replacing it. */
export function isRelative(text: string): boolean {
  return /^[+-]/.test(text);
}

/**
 * Applies a change such as `+3s` or `-512M` to the limit in force. Returns the new value as text that `set_limit` takes.
 *
 * @param now undefined if the box has no such limit
 * @param row the limit's row of the table; undefined for an rlimit
 * @throws SpecError if there is no limit to change, or too little would be left
 */
export function changedValue(
  name: string,
  text: string,
  now: LimitStatus | undefined,
  row?: Pick<LimitRow, 'zeroIsNone'>,
): string {
  if (now === undefined || now.value === 'unlimited') {
    throw new SpecError(`${name} has no limit that ${quote(text)} could change: give an absolute value`);
  }
  if (typeof now.value !== 'number') {
    throw new SpecError(`${name} is a list, which ${quote(text)} cannot change: give the whole list`);
  }
  const by = parseAmount(name, text.slice(1), now.unit, text);
  const value = rounded(now.value + (text.startsWith('-') ? -by : by));
  if (value < 0 || (value === 0 && row?.zeroIsNone)) {
    throw new SpecError(`${name} is ${amount(now.value, now.unit)} now: ${quote(text)} would leave nothing of it`);
  }
  if (typeof now.hard === 'number' && value > now.hard) {
    throw new SpecError(
      `${name} would be ${amount(value, now.unit)}, above its hard limit of ${amount(now.hard, now.unit)}: give both, for example "${value}:${value}"`,
    );
  }
  return asText(value, now);
}

/** @throws SpecError that names the whole argument */
function parseAmount(name: string, text: string, unit: LimitStatus['unit'], whole: string): number {
  try {
    if (isRlimitName(name)) return parseRlimitAmount(RLIMITS[name].unit, text);
    if (unit === 'ms') return parseWallTime(unsigned(text));
    if (unit === 'bytes') return parseSize(text);
    if (unit === 'cpus') return parseDecimal(text);
    return parseCount(text, 0, Number.MAX_SAFE_INTEGER);
  } catch (cause) {
    if (!isSpecError(cause)) throw cause;
    throw new SpecError(`${quote(whole)} is not a valid change of ${name}: ${cause.message}`, { cause });
  }
}

/** Refuses `+-3s` and `++3s`, which the parser of durations would take because a duration may have a sign. */
function unsigned(text: string): string {
  if (isRelative(text)) throw new SpecError(`${quote(text)} has a second sign`);
  return text;
}

function parseDecimal(text: string): number {
  if (/^\d{1,6}(\.\d{1,6})?$/.test(text)) return Number(text);
  throw new SpecError(`${quote(text)} is not a number of CPUs: for example "0.5"`);
}

/** Removes the rounding error of adding fractions: a tiny remainder would otherwise pass for a limit. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toFixed(6));
}

/** Writes the number without an exponent, which the parsers would refuse. */
function asText(value: number, { unit, enforcement }: LimitStatus): string {
  const digits = Number.isInteger(value) ? `${value}` : value.toFixed(6).replace(/\.?0+$/, '');
  // `soft:` changes the soft limit of an rlimit and leaves the hard one.
  return enforcement === 'rlimit' ? `${digits}:` : unit === 'ms' ? `${digits}ms` : digits;
}
