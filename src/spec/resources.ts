import { SpecError } from '../errors.js';
import { isNone, isUnlimited, parseSize } from './units.js';
import { didYouMean, quote } from './words.js';

/** Limits of a box as a whole, by the names of their options. Memory in bytes, cpus in cores, cpu-time in ms. */
export interface Resources {
  readonly memory?: Bound;
  readonly 'memory-high'?: Bound;
  readonly swap?: Bound;
  readonly cpus?: Bound;
  readonly 'cpu-weight'?: number;
  /** A CPU list as cpuset(7) has it: `0-3,5`. */
  readonly cpuset?: string;
  readonly pids?: Bound;
  readonly 'io-max'?: readonly IoRequest[];
  readonly 'cpu-time'?: Bound;
}

export type Bound = number | 'unlimited';
export type ResourceName = keyof Resources;

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

/** @throws SpecError where it is no list, or a range runs backwards */
export function parseCpuList(text: string): string {
  const parts = text.split(',');
  const good = parts.every((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    return match !== null && Number(match[1]) <= Number(match[2] ?? match[1]);
  });
  if (!good)
    throw new SpecError(`${quote(text)} is not a list of CPUs: expected numbers and ranges, for example "0-3,5"`);
  return text;
}

/** Numbers of a checked list, ascending. */
export function cpusOf(list: string): number[] {
  const cpus = new Set<number>();
  for (const part of list.split(',').filter((word) => word !== '')) {
    const [first = 0, last = first] = part.split('-').map(Number);
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** `/dev/sda:rbps=10M,wiops=100`; several separated by a space. @throws SpecError */
export function parseIoMax(text: string): readonly IoRequest[] {
  return text
    .split(' ')
    .filter((part) => part !== '')
    .map(parseIoRequest);
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
