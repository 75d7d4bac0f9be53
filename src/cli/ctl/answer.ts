import { amount, isUnit, type LimitUnit } from '../../options/amounts.js';
import { findCommand } from '../../options/table/commands.js';
import { printable } from '../../text.js';

/** Parses answers of boxes and formats them for people. They come from the network, so nothing in them is trusted. */

/** The parsed answer of a box. */
export interface CtlAnswer {
  readonly ok: boolean;
  readonly box: string;
  readonly host: string;
  readonly job: string;
  readonly command: string;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** @returns undefined if the text is not the answer of a box */
export function parseAnswer(text: string): CtlAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { ok, box, host, job, command, result, error } = value;
  if (typeof ok !== 'boolean') return undefined;
  const failure = isObject(error) ? { code: String(error['code']), message: String(error['message']) } : undefined;
  return {
    ok,
    box: String(box),
    host: String(host),
    job: String(job),
    command: String(command),
    result,
    ...(failure && { error: failure }),
  };
}

/** Formats an answer like `node1 job 1234_7 box 5c1f0a: kill ok signal=TERM, processes=3`. */
export function formatAnswer({ ok, box, host, job, command, result, error }: CtlAnswer): string {
  // If a box could not read the command, its answer names none.
  const head = [host, 'job', job, 'box', `${box}:`, ...(command === '' ? [] : [command])].join(' ');
  if (ok) return printable(`${head} ok ${fields(command, result).join(', ')}`.trimEnd());
  return printable(`${head} refused: ${error?.code ?? 'unknown'}: ${error?.message ?? 'no reason was given'}`);
}

function fields(command: string, result: unknown): string[] {
  if (!isObject(result)) return [];
  const { identity: _identity, sample, limits, also, broker: _broker, ...rest } = result;
  return [
    ...flat('', readable(rest)),
    ...(isObject(limits) ? limitFields('', limits) : []),
    ...(isObject(also) ? limitFields('also.', also) : []),
    ...(isObject(sample) && findCommand(command)?.answer === 'with its sample' ? sampleFields(sample) : []),
  ];
}

/** Fields as `key=value`; fields of nested objects as `timer.running=true`, one level deep. */
function flat(prefix: string, value: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(value).flatMap(([key, field]) =>
    isObject(field) ? (prefix === '' ? flat(`${key}.`, field) : []) : [`${prefix}${named(key, field)}`],
  );
}

/** Moves the unit from the end of the name to the value: `elapsed=2 h 05 min` for `elapsed_ms`. */
function named(key: string, field: unknown): string {
  const [, name = key, unit] = /^(.+)_(ms|bytes)$/.exec(key) ?? [];
  if (typeof field !== 'number' || unit === undefined) return `${key}=${field}`;
  return `${name}=${amount(field, unit as 'ms' | 'bytes')}`;
}

/** Gives the values of a limit, and those in an answer to `set_limit`, their unit: `value=2 h` for 7200000 and `ms`. */
function readable(limit: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { unit, ...rest } = limit;
  if (!isUnit(unit)) return limit;
  const values = ['value', 'hard'].filter((key) => key in rest).map((key) => [key, told(rest[key], unit)]);
  return { ...rest, ...Object.fromEntries(values) };
}

function limitFields(prefix: string, limits: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(limits).map(([name, limit]) => `${prefix}${name}=${limitText(limit)}`);
}

function limitText(limit: unknown): string {
  if (!isObject(limit)) return String(limit);
  const { value, hard, enforcement } = readable(limit);
  return `${value}${hard === undefined || hard === value ? '' : `:${hard}`} (${enforcement})`;
}

function sampleFields(sample: Readonly<Record<string, unknown>>): string[] {
  const number = (part: unknown, key: string) => (isObject(part) ? part[key] : undefined);
  return [
    `cpu_percent=${sample['CPUPercent']}`,
    `user=${told(number(sample['CPUTimes'], 'user'), 'seconds')}`,
    `system=${told(number(sample['CPUTimes'], 'system'), 'seconds')}`,
    `rss=${told(number(sample['Memory'], 'rss'), 'bytes')}`,
    `processes=${number(sample['Counts'], 'processes')}`,
    `stdout=${told(sample['StdoutBytes'], 'bytes')}`,
  ];
}

function told(value: unknown, unit: LimitUnit): string {
  return typeof value === 'number' ? amount(value, unit) : String(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
