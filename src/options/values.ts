import { isSpecError, SpecError } from '../errors.js';
import { parseSignal, signalName } from './signals.js';
import type { CgroupMode, WarnSignal } from './spec.js';
import { redactUri } from './uri.js';
import { withText } from './verbatim.js';
import { parseWallTime } from './wall-time.js';
import { didYouMean, quote } from './words.js';

/** Parsers for values with the bounds of their option or remote command. */

/** An AMQP short string holds 255 bytes. The rest is for the addressing suffixes. */
const KEY_MAX_BYTES = 127;

/** Parses `auto`, `off`, or cgroup directories. @throws SpecError */
export function parseCgroupMode(text: string): CgroupMode {
  if (text === 'auto' || text === 'off') return text;
  // A path may contain a comma: a hierarchy may be mounted as `cpu,cpuacct`.
  const dirs = text.split(/,(?=\s*(?:\/|,|$))/).map((dir) => dir.trim().replace(/(?<!\/)\/+$/, ''));
  if (dirs.every((dir) => /^\/./.test(dir))) return dirs;
  throw new SpecError(
    `${quote(text)} is not a place for control groups: expected auto, off or absolute paths, for example "auto"`,
  );
}

/** @throws SpecError */
export function parseEnforce(text: string): 'strict' | 'best-effort' {
  if (text === 'strict' || text === 'best-effort') return text;
  throw new SpecError(`${quote(text)} is not a way to enforce: expected strict or best-effort, for example "strict"`);
}

/** @throws SpecError */
export function parseFailure(text: string): 'open' | 'closed' {
  if (text === 'open' || text === 'closed') return text;
  throw new SpecError(`${quote(text)} is not a failure policy: expected open or closed, for example "open"`);
}

/** Checks the name of an exchange, a routing key or its prefix. @throws SpecError if it is empty or over 127 bytes */
export function parseKey(text: string): string {
  const bytes = Buffer.byteLength(text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (bytes === 0 || bytes > KEY_MAX_BYTES || /[\u0000-\u001f\u007f]/.test(text)) {
    throw new SpecError(`${quote(text)} is not a name of 1 to 127 printable bytes: for example "proc_box.stats"`);
  }
  return text;
}

/**
 * Checks a routing key of commands. @throws SpecError also if it has a wildcard: the box would then get messages that are not
 * for it, including its own events, and nobody could send to its other keys (`K.job.<job>`).
 */
export function parseCommandKey(text: string): string {
  const key = parseKey(text);
  if (!key.split('.').some((word) => word === '*' || word === '#')) return key;
  throw new SpecError(
    `${quote(text)} has a wildcard, but commands need an exact key: for example "proc_box.remote_control"; for several keys set multiRmtKey and separate them by commas`,
  );
}

/** Checks the path of a file. @throws SpecError if it is empty or contains a NUL */
export function parsePath(text: string): string {
  if (text === '' || text.includes('\0'))
    throw new SpecError(`${quote(text)} is not a path: for example "/etc/proc_box/uri"`);
  return text;
}

const NEAR_MAX = 10;

/** Parses the value of `--near`. @returns percentages, ascending; empty for `none`. @throws SpecError */
export function parseNear(text: string): readonly number[] {
  if (text === 'none') return [];
  const percents = text.split(',').map((part) => (/^ *\d{1,2} *$/.test(part) ? Number(part) : 0));
  if (percents.some((percent) => percent === 0) || percents.length > NEAR_MAX) {
    throw new SpecError(
      `${quote(text)} is not a list of percentages: expected up to ${NEAR_MAX} numbers from 1 to 99, or none, for example "80,95"`,
    );
  }
  return [...new Set(percents)].sort((a, b) => a - b);
}

/** The default of sbatch(1). */
const WARN_BEFORE_MS = 60_000;
const CANNOT_WARN = ['KILL', 'STOP'];

/** Parses the value of `--warn-signal`: `USR1`, `USR1@5m`, `10@300`. @throws SpecError */
export function parseWarnSignal(text: string): WarnSignal {
  const at = text.indexOf('@');
  try {
    const signal = parseSignal(at < 0 ? text : text.slice(0, at));
    if (CANNOT_WARN.includes(signalName(signal))) throw new SpecError('no job can handle that signal');
    return { signal, beforeMs: at < 0 ? WARN_BEFORE_MS : parseWallTime(text.slice(at + 1)) };
  } catch (cause) {
    if (!isSpecError(cause)) throw cause;
    throw new SpecError(
      `${quote(text)} is not a signal with a time: ${cause.message}; expected <signal>[@<time before the limit>], for example "USR1@5m"`,
      { cause },
    );
  }
}

/** The names that the value of `--report-file` may contain in braces. */
export const REPORT_NAMES = ['job', 'step', 'task', 'host', 'box'] as const;

/** Checks the value of `--report-file`. @throws SpecError if it is not a path, or has an unknown name in braces */
export function parseReportPath(text: string): string {
  for (const [whole, name = ''] of parsePath(text).matchAll(/\{([^{}]*)\}/g)) {
    if ((REPORT_NAMES as readonly string[]).includes(name)) continue;
    throw new SpecError(
      `${quote(whole)} is unknown in ${quote(text)}: expected one of ${REPORT_NAMES.map((known) => `{${known}}`).join(', ')}${didYouMean(name, REPORT_NAMES)}`,
    );
  }
  if (text.endsWith('/'))
    throw new SpecError(`${quote(text)} is a folder: expected a file, for example "report-{job}.json"`);
  return text;
}

/** Parses a JSON object and keeps its numbers as they were given (verbatim.ts). @throws SpecError if it is not a JSON object */
export function parseJsonObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text.toWellFormed());
  } catch (cause) {
    throw new SpecError(
      `${quote(text)} is not JSON (${redactUri((cause as Error).message.replaceAll(/[\s\p{Cc}]+/gu, ' '))}): for example '{"project": "x"}'`,
      {
        cause,
      },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SpecError(`${quote(text)} is not a JSON object: for example '{"project": "x"}'`);
  }
  return withText(value as Record<string, unknown>, text);
}
