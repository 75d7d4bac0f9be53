import type { Rlimit, RlimitName, RlimitValue } from 'cgroup-utils-native';
import { isSpecError, SpecError } from '../errors.js';
import type { RlimitRequest } from './spec.js';
import { isUnlimited, parseDuration, parseSize } from './units.js';
import { didYouMean, quote } from './words.js';

/** The unit of a resource; getrlimit(2). */
export type RlimitUnit = 'bytes' | 'seconds' | 'microseconds' | 'count';

/** The 16 resources by their names in prlimit(1), with the unit of each and what it limits. */
export const RLIMITS: Readonly<Record<RlimitName, { readonly unit: RlimitUnit; readonly help: string }>> = {
  as: { unit: 'bytes', help: 'address space of each process; breaks JIT runtimes' },
  core: { unit: 'bytes', help: 'size of a core file' },
  cpu: { unit: 'seconds', help: 'CPU time of each process' },
  data: { unit: 'bytes', help: 'data segment of each process' },
  fsize: { unit: 'bytes', help: 'size of a written file' },
  locks: { unit: 'count', help: 'file locks (without effect since Linux 2.4.25)' },
  memlock: { unit: 'bytes', help: 'memory locked into RAM' },
  msgqueue: { unit: 'bytes', help: 'POSIX message queues of the user' },
  nice: { unit: 'count', help: 'ceiling of the nice value, as 20 - nice' },
  nofile: { unit: 'count', help: 'open descriptors of each process' },
  nproc: { unit: 'count', help: 'processes and threads of the user, everywhere on the host' },
  rss: { unit: 'bytes', help: 'resident set (without effect since Linux 2.4.30)' },
  rtprio: { unit: 'count', help: 'ceiling of the real-time priority' },
  rttime: { unit: 'microseconds', help: 'CPU time in real-time scheduling without a blocking call' },
  sigpending: { unit: 'count', help: 'queued signals of the user' },
  stack: { unit: 'bytes', help: 'stack of each process' },
};

const EXAMPLES: Readonly<Record<RlimitUnit, string>> = {
  bytes: '512M',
  seconds: '90',
  microseconds: '500ms',
  count: '1024',
};
const UNIT_MS: Readonly<Record<'seconds' | 'microseconds', number>> = { seconds: 1000, microseconds: 0.001 };

/**
 * Parses one or several comma-separated limits: `nofile=1024:4096`, `core=0,stack=64M`.
 * @returns one request per resource, in the order given; the last limit of a resource counts
 * @throws SpecError
 */
export function parseRlimits(text: string): readonly RlimitRequest[] {
  return mergeRlimits(text.split(',').map((part) => parseRlimit(part.trim())));
}

/**
 * Parses one limit with its resource: `nofile=1024:4096`. `parseRlimitValue` describes the value.
 * @throws SpecError
 */
export function parseRlimit(text: string): RlimitRequest {
  const at = text.indexOf('=');
  if (at < 0)
    throw new SpecError(
      `${quote(text)} is not a limit: expected <resource>=<soft>:<hard>, for example "nofile=1024:4096"`,
    );
  const name = parseRlimitName(text.slice(0, at));
  return { name, ...parseRlimitValue(name, text.slice(at + 1)) };
}

/** Whether the text names one of the 16 resources. */
export function isRlimitName(text: string): text is RlimitName {
  return Object.hasOwn(RLIMITS, text);
}

/** @throws SpecError if the text is not the name of a resource */
function parseRlimitName(text: string): RlimitName {
  if (isRlimitName(text)) return text;
  const near = didYouMean(text.replace(/^RLIMIT_/i, ''), Object.keys(RLIMITS));
  throw new SpecError(`${quote(text)} is not a resource: expected one of ${Object.keys(RLIMITS).join(', ')}${near}`);
}

/**
 * Parses the value of a limit as in prlimit(1): `1024` (soft and hard), `1024:4096`, `1024:` (soft only), `:4096` (hard only).
 * Each is a number or `unlimited`, may have a size suffix for resources in bytes, and may be a duration for cpu and rttime.
 * @returns the given limits, in the unit of setrlimit(2): bytes, seconds for cpu, microseconds for rttime
 * @throws SpecError if a limit does not parse, neither is given, or soft is above hard
 */
export function parseRlimitValue(name: RlimitName, text: string): Partial<Rlimit> {
  const halves = text.split(':');
  const [soft = '', hard = ''] = halves;
  if (halves.length > 2 || (soft === '' && hard === '')) {
    throw new SpecError(
      `${name}: ${quote(text)} is not a limit: expected <soft>:<hard>, for example "${EXAMPLES[RLIMITS[name].unit]}:unlimited"`,
    );
  }
  if (halves.length === 1) {
    const both = parseHalf(name, soft);
    return { soft: both, hard: both };
  }
  const limit: { soft?: RlimitValue; hard?: RlimitValue } = {};
  if (soft !== '') limit.soft = parseHalf(name, soft);
  if (hard !== '') limit.hard = parseHalf(name, hard);
  if (limit.soft !== undefined && limit.hard !== undefined && order(limit.soft) > order(limit.hard)) {
    throw new SpecError(
      `${name}: the soft limit ${quote(soft)} is above the hard limit ${quote(hard)}: for example ${quote(`${hard}:${hard}`)}`,
    );
  }
  return limit;
}

/** Keeps one request per resource: the last one replaces the others as a whole. */
export function mergeRlimits(requests: readonly RlimitRequest[]): readonly RlimitRequest[] {
  return [...new Map(requests.map((request) => [request.name, request])).values()];
}

function parseHalf(name: RlimitName, text: string): RlimitValue {
  if (isUnlimited(text)) return 'unlimited';
  const { unit } = RLIMITS[name];
  try {
    return parseRlimitAmount(unit, text);
  } catch (cause) {
    if (!isSpecError(cause)) throw cause;
    const expected = unit === 'count' ? 'a number' : unit === 'bytes' ? 'a size' : `${unit} or a duration`;
    throw new SpecError(
      `${name}: ${quote(text)} is not a limit: expected ${expected} or "unlimited", for example "${EXAMPLES[unit]}"`,
      { cause },
    );
  }
}

/** @returns the amount in the unit of setrlimit(2). @throws SpecError */
export function parseRlimitAmount(unit: RlimitUnit, text: string): number {
  if (unit === 'bytes') return parseSize(text);
  const plain = /^\d+$/.test(text);
  const amount = plain ? Number(text) : unit === 'count' ? Number.NaN : Math.ceil(parseDuration(text) / UNIT_MS[unit]);
  if (!Number.isSafeInteger(amount)) throw new SpecError(`${quote(text)} is not a whole number`);
  return amount;
}

function order(value: RlimitValue): number {
  return value === 'unlimited' ? Number.POSITIVE_INFINITY : value;
}
