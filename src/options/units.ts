import { SpecError } from '../errors.js';
import { quote } from './words.js';

/** Parsers for values with units. They read options, config files and the arguments of remote commands alike. */

const NS_PER_MS = 1_000_000n;
const DURATION_UNITS_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: NS_PER_MS,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};
/** The maximum of Go's time.Duration, about 292 years. */
const DURATION_MAX_NS = 2n ** 63n - 1n;
const NUMBER_MAX_CHARACTERS = 100;
const SIZE_UNITS = ['', 'k', 'm', 'g', 't', 'p'];
const NONE_WORDS = /^(?:unlimited|infinity)$/i;

/**
 * Parses a duration in Go's syntax (time.ParseDuration), and days in addition: `1h30m`, `100ms`, `1.5h`, `1d`, `0`.
 * @returns ms, with fractions
 * @throws SpecError if it is not a duration, negative, without a unit, or over 292 years
 */
export function parseDuration(text: string): number {
  const unsigned = bounded(text).replace(/^[+-]/, '');
  const ns = unsigned === '0' ? 0n : sumOfParts(unsigned);
  if (ns === undefined && /^\d*\.?\d+$/.test(unsigned)) {
    throw new SpecError(`${quote(text)} has no unit: expected a duration, for example "${shorten(unsigned)}s"`);
  }
  if (ns === undefined) {
    throw new SpecError(
      `${quote(text)} is not a duration: expected numbers with units (ns, us, ms, s, m, h, d), for example "1h30m"`,
    );
  }
  if (text.startsWith('-') && ns > 0n) {
    throw new SpecError(`${quote(text)} is negative: expected a duration of 0 or more, for example "1h30m"`);
  }
  if (ns > DURATION_MAX_NS) {
    throw new SpecError(`${quote(text)} is too long: expected at most 292 years, for example "8760h" for a year`);
  }
  return Number(ns / NS_PER_MS) + Number(ns % NS_PER_MS) / Number(NS_PER_MS);
}

/** @returns ns, or undefined if the text is not a sequence of numbers with units */
function sumOfParts(text: string): bigint | undefined {
  if (text === '') return undefined;
  const part = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)/y;
  let ns = 0n;
  while (part.lastIndex < text.length) {
    const match = part.exec(text);
    if (match === null) return undefined;
    const [, whole = '', fraction = '', unit = ''] = match;
    if (whole === '' && fraction === '') return undefined;
    const unitNs = DURATION_UNITS_NS[unit]!;
    ns += BigInt(whole) * unitNs + (BigInt(fraction) * unitNs) / 10n ** BigInt(fraction.length);
  }
  return ns;
}

/**
 * Shortens a text that is too long for a number, in a way that it stays invalid: remote commands must not make parsing take
 * unbounded time.
 */
function bounded(text: string): string {
  return text.length > NUMBER_MAX_CHARACTERS ? `${text.slice(0, NUMBER_MAX_CHARACTERS)}…` : text;
}

function shorten(digits: string): string {
  return digits.length > 20 ? '5' : digits;
}

/**
 * Parses a number of bytes: `1048576`, `512M`, `4G`, `1.5GiB`, `10kB`. K, M, G, T and P are powers of 1024, in upper or lower
 * case and with or without `B` or `iB`, as in systemd and docker. Fractions of a byte are dropped.
 * @returns bytes, a safe integer
 * @throws SpecError if it is not a size, or 8 PiB or more
 */
export function parseSize(text: string): number {
  const match = /^(\d+)(\.\d+)? ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(bounded(text));
  if (match === null) {
    throw new SpecError(
      `${quote(text)} is not a size: expected bytes or a number with K, M, G, T or P (powers of 1024), for example "512M"`,
    );
  }
  const [, whole = '', fraction = '', unit = ''] = match;
  if (unit === '' && fraction !== '') {
    throw new SpecError(`${quote(text)} is not a whole number of bytes: expected a size, for example "1.5K" or "1536"`);
  }
  const exact = Number(whole + fraction) * 1024 ** SIZE_UNITS.indexOf(unit.toLowerCase());
  const bytes = Math.floor(exact);
  if (!Number.isSafeInteger(bytes)) {
    throw new SpecError(`${quote(text)} is too large: expected less than 8192T, for example "512M"`);
  }
  if (bytes === 0 && exact > 0) {
    throw new SpecError(`${quote(text)} is less than a byte: expected a size, for example "512M"`);
  }
  return bytes;
}

/** Whether the text is `unlimited` or `infinity`, in upper or lower case. */
export function isUnlimited(text: string): boolean {
  return NONE_WORDS.test(text);
}

/** The same for a limit that cannot be 0: there 0 means no limit, too, as for `--timeout`. */
export function isNone(text: string): boolean {
  return isUnlimited(text) || /^0+(?:\.0*)?$/.test(text);
}

/**
 * Parses a whole number from `min` to `max`.
 * @throws SpecError if it is not a whole number, or out of range
 */
export function parseCount(text: string, min: number, max: number): number {
  const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= min && count <= max)) {
    throw new SpecError(
      `${quote(text)} is not a number from ${min} to ${max}: for example "${Math.min(max, Math.max(min, 10))}"`,
    );
  }
  return count;
}

/**
 * Parses the words of Go's strconv.ParseBool.
 * @throws SpecError for every other word
 */
export function parseBoolean(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new SpecError(
    `${quote(text)} is neither true nor false: expected 1, t, true, 0, f or false, for example "true"`,
  );
}
