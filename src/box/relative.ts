import { isSpecError, SpecError } from '../errors.js';
import type { LimitStatus } from '../model/sample.js';
import { amount } from '../options/amounts.js';
import { isRlimitName, parseRlimitAmount, RLIMITS } from '../options/rlimits.js';
import type { LimitRow } from '../options/table/limit.js';
import { parseCount, parseSize } from '../options/units.js';
import { parseWallTime } from '../options/wall-time.js';
import { quote } from '../options/words.js';

/** `set_limit` changes the limit in force by that much, instead of replacing it. */
export function isRelative(text: string): boolean {
  return /^[+-]/.test(text);
}

/**
 * The value that `+3s` or `-512M` makes of the limit in force, as text that `set_limit` takes.
 *
 * @param now undefined where the box has no such limit
 * @param row of the table of limits; undefined for an rlimit
 * @throws SpecError where there is nothing to change, or too little would be left
 */
export function changedValue(
  name: string,
  text: string,
  now: LimitStatus | undefined,
  row?: Pick<LimitRow, 'zeroIsNone'>,
): string {
  if (now === undefined || now.value === 'unlimited') {
    throw new SpecError(`${name} has no limit now that ${quote(text)} could change: give the limit itself`);
  }
  if (typeof now.value !== 'number') {
    throw new SpecError(`${name} is a list, which ${quote(text)} cannot change: give all of it`);
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
    throw new SpecError(`${quote(whole)} is no change of ${name}: ${cause.message}`, { cause });
  }
}

/** `+-3s` and `++3s`: a duration of its own may have a sign. */
function unsigned(text: string): string {
  if (isRelative(text)) throw new SpecError(`${quote(text)} has a second sign`);
  return text;
}

function parseDecimal(text: string): number {
  if (/^\d{1,6}(\.\d{1,6})?$/.test(text)) return Number(text);
  throw new SpecError(`${quote(text)} is not a number of CPUs: for example "0.5"`);
}

/** Without what adding fractions leaves behind, which would be no limit at all where nothing else is left. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toFixed(6));
}

/** Without an exponent. */
function asText(value: number, { unit, enforcement }: LimitStatus): string {
  const digits = Number.isInteger(value) ? `${value}` : value.toFixed(6).replace(/\.?0+$/, '');
  // Of an rlimit the soft half.
  return enforcement === 'rlimit' ? `${digits}:` : unit === 'ms' ? `${digits}ms` : digits;
}
