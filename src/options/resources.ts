import { SpecError } from '../errors.js';
import { isNone, isUnlimited, parseSize } from './units.js';
import { didYouMean, quote } from './words.js';

/** Values of the limits that control groups hold. */

export type Bound = number | 'unlimited';

/** Limits of one device, which is named by its path, by that of a file on it, or as `major:minor`. */
export interface IoRequest {
  readonly target: string;
  readonly rbps?: Bound;
  readonly wbps?: Bound;
  readonly riops?: Bound;
  readonly wiops?: Bound;
}

/** Below this nothing starts: the kernel would kill the shell that starts the job. */
const MEMORY_MIN_BYTES = 1024 * 1024;
const CPUS_MIN = 0.01;
const CPUS_MAX = 100_000;
/** Every second CPU of 8192, the most that Linux can have, is less. */
const CPU_LIST_MAX_CHARACTERS = 32_768;
const SHOWN_CPUS = 5;
const IO_DEVICES_MAX = 64;
const IO_KEYS = ['rbps', 'wbps', 'riops', 'wiops'] as const;

/** @returns bytes; 0 means none. @throws SpecError where it is no size, or below 1 MiB */
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

/** @returns cores, to a hundredth; 0 means none. @throws SpecError */
export function parseCpus(text: string): Bound {
  if (isNone(text)) return 'unlimited';
  const cpus = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(cpus >= CPUS_MIN && cpus <= CPUS_MAX)) {
    throw new SpecError(`${quote(text)} is not a number of CPUs from ${CPUS_MIN} to ${CPUS_MAX}: for example "1.5"`);
  }
  return cpus;
}

/** @returns the list in its shortest form, ascending. @throws SpecError where it is no list, or a range runs backwards */
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

/** Of the CPUs in a checked list the first few that another list does not have. */
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

/** Ranges of a checked list, ascending and apart: a list may name a CPU as often as it likes. */
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

/** `/dev/sda:rbps=10M,wiops=100`; several separated by a space. @throws SpecError */
export function parseIoMax(text: string): readonly IoRequest[] {
  const parts = text.split(' ').filter((part) => part !== '');
  // Each of them is looked for in the file system.
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
    // 0 is none: a device that takes nothing at all would hang the job, and the kernel refuses it.
    request[key] = isUnlimited(value) || value === 'max' ? 'unlimited' : parseSize(value) || 'unlimited';
  }
  return { target, ...request };
}
