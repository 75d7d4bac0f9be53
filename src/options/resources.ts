import { SpecError } from '../errors.js';
import { isNone, isUnlimited, parseSize } from './units.js';
import { didYouMean, quote } from './words.js';

/** Parsers for the limits that control groups enforce. */

export type Bound = number | 'unlimited';

/** Limits of one device, which is named by its path, by the path of a file on it, or as `major:minor`. */
export interface IoRequest {
  readonly target: string;
  readonly rbps?: Bound;
  readonly wbps?: Bound;
  readonly riops?: Bound;
  readonly wiops?: Bound;
}

/** With less memory nothing starts, because the kernel would kill the shell that starts the job. */
const MEMORY_MIN_BYTES = 1024 * 1024;
const CPUS_MIN = 0.01;
const CPUS_MAX = 100_000;
/** Even a list of every second CPU is shorter: Linux supports at most 8192 CPUs. */
const CPU_LIST_MAX_CHARACTERS = 32_768;
const SHOWN_CPUS = 5;
const IO_DEVICES_MAX = 64;
const IO_KEYS = ['rbps', 'wbps', 'riops', 'wiops'] as const;

/** @returns bytes; 0 means no limit. @throws SpecError if it is not a size, or below 1 MiB */
export function parseMemory(text: string): Bound {
  if (isNone(text)) return 'unlimited';
  const bytes = parseSize(text);
  if (bytes === 0) return 'unlimited';
  if (bytes < MEMORY_MIN_BYTES)
    throw new SpecError(`${quote(text)} is too small: expected at least 1M, for example "512M"`);
  return bytes;
}

/** @returns bytes, 0 for no swap at all. @throws SpecError */
export function parseSwap(text: string): Bound {
  return isUnlimited(text) ? 'unlimited' : parseSize(text);
}

/** @returns cores; 0 means no limit. @throws SpecError */
export function parseCpus(text: string): Bound {
  if (isNone(text)) return 'unlimited';
  const cpus = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(cpus >= CPUS_MIN && cpus <= CPUS_MAX)) {
    throw new SpecError(`${quote(text)} is not a number of CPUs from ${CPUS_MIN} to ${CPUS_MAX}: for example "1.5"`);
  }
  return cpus;
}

/** @returns the list in its shortest form, ascending. @throws SpecError if it is not a list, or a range runs backwards */
export function parseCpuList(text: string): string {
  const parts = text.length > CPU_LIST_MAX_CHARACTERS ? [] : text.split(',');
  const good = parts.every((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    return match !== null && Number(match[1]) <= Number(match[2] ?? match[1]);
  });
  if (!good || parts.length === 0)
    throw new SpecError(`${quote(text)} is not a list of CPUs: expected numbers and ranges, for example "0-3,5"`);
  return rangesOf(text)
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
    .join(',');
}

/** Returns the first few CPUs of a checked list that another list lacks. */
export function cpusOutside(list: string, allowed: string): number[] {
  const have = rangesOf(allowed);
  const outside: number[] = [];
  let at = 0;
  for (const [first, last] of rangesOf(list)) {
    for (let cpu = first; cpu <= last && outside.length < SHOWN_CPUS; cpu++) {
      while (at < have.length && have[at]![1] < cpu) at++;
      const range = have[at];
      if (range !== undefined && range[0] <= cpu) cpu = range[1];
      else outside.push(cpu);
    }
  }
  return outside;
}

/** Returns how many CPUs a checked list names. */
export function cpuCount(list: string): number {
  return rangesOf(list).reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** Returns the ranges of a checked list, ascending and disjoint. The list may name a CPU several times. */
function rangesOf(list: string): readonly (readonly [first: number, last: number])[] {
  const given = list
    .split(',')
    .filter((word) => word !== '')
    .map((word) => word.split('-').map(Number))
    .map(([first = 0, last = first]) => [first, last] as [number, number])
    .sort(([a], [b]) => a - b);
  const ranges: [number, number][] = [];
  for (const [first, last] of given) {
    const before = ranges.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else ranges.push([first, last]);
  }
  return ranges;
}

/** Parses `/dev/sda:rbps=10M,wiops=100`; several devices are separated by spaces. @throws SpecError */
export function parseIoMax(text: string): readonly IoRequest[] {
  const parts = text.split(' ').filter((part) => part !== '');
  // The number is bounded because each device is looked up in the file system.
  if (parts.length > IO_DEVICES_MAX)
    throw new SpecError(`${quote(text)} names ${parts.length} devices: expected at most ${IO_DEVICES_MAX}`);
  return parts.map(parseIoRequest);
}

function parseIoRequest(text: string): IoRequest {
  const match = /^(.+?):([a-z]+=.*)$/.exec(text);
  if (match === null) {
    throw new SpecError(
      `${quote(text)} is not a limit of a device: expected <device or path>:<what>=<limit>, for example "/dev/sda:rbps=10M,wiops=100"`,
    );
  }
  const [, target = '', list = ''] = match;
  const request: Record<string, Bound> = {};
  for (const part of list.split(',')) {
    const [key = '', value = ''] = part.split('=');
    if (!(IO_KEYS as readonly string[]).includes(key)) {
      throw new SpecError(
        `${quote(key)} is not a limit of a device: expected one of ${IO_KEYS.join(', ')}${didYouMean(key, IO_KEYS)}`,
      );
    }
    // 0 means no limit: the kernel refuses a limit of 0, which would hang the job.
    request[key] = isUnlimited(value) || value === 'max' ? 'unlimited' : parseSize(value) || 'unlimited';
  }
  return { target, ...request };
}
