import type { BoxCgroup, CgroupValue, IoLimit } from '../cgroup/types.js';
import { isEnvironmentError, SpecError } from '../errors.js';
import { findDevice } from '../kernel/devices.js';
import type { LimitStatus } from '../model/sample.js';
import { amount, type LimitUnit } from '../options/amounts.js';
import { type Bound, cpusOutside, type IoRequest } from '../options/resources.js';
import type { LimitRow } from '../options/table/limit.js';
import {
  type CgroupLimitName,
  isCgroupLimit,
  LIMITS,
  type ResourceName,
  type Resources,
  resourceNames,
} from '../options/table/limits.js';
import { quote } from '../options/words.js';

/**
 * The enforcement ladder of the limits of a box as a whole: the kernel's control groups where this host and user allow
 * them, else the sampling watchdog where it can hold the limit, else nothing. docs/limits.md.
 */
export interface Held {
  readonly status: LimitStatus;
  /** Why it is held weaker than by the kernel; null where it is not. */
  readonly weaker: string | null;
}

export type ResourceValue = Bound | string | readonly IoRequest[];

/** What of the host decides about limits beside its control groups. */
export interface Host {
  /** CPUs that the scheduler allows: `Cpus_allowed_list` of this process. */
  readonly allowedCpus: () => string;
  /** Why the processes of the box cannot be looked at, so that nothing can be held by sampling; null where they can. */
  readonly blind: string | null;
}

/** Limits that control groups know, of those that were asked for. */
export function cgroupNames(resources: Resources): CgroupLimitName[] {
  return resourceNames()
    .filter((name) => resources[name] !== undefined)
    .filter(isCgroupLimit);
}

/**
 * Puts one limit in force.
 * @throws SpecError for a value that this host cannot have: an unknown device, a CPU outside, above the limit around us
 */
export function hold(name: ResourceName, value: ResourceValue, cgroup: BoxCgroup, host: Host): Held {
  const { blind } = host;
  const { unit, otherwise: below }: LimitRow = LIMITS[name];
  const otherwise: 'watchdog' | 'none' = blind === null && below === 'watchdog' ? 'watchdog' : 'none';
  if (!isCgroupLimit(name)) {
    const isHeld = otherwise !== 'none' || value === 'unlimited';
    const status = { value: value as Bound, unit, enforcement: otherwise };
    return { status, weaker: isHeld ? null : `${name} is not held at all: ${blind}` };
  }
  const wanted = resolve(name, value, host.allowedCpus);
  checkCeiling(name, wanted, cgroup, unit);
  try {
    const now = cgroup.set(name, wanted);
    const by = cgroup.holds(name);
    const enforcement = 'mechanism' in by ? by.mechanism : otherwise;
    return { status: { value: shown(now), unit, enforcement }, weaker: null };
  } catch (error) {
    if (!isEnvironmentError(error)) throw error;
    // Nothing is asked for, so nothing is weaker, unless a group goes on holding what it had.
    if (value === 'unlimited' && !('mechanism' in cgroup.holds(name)))
      return { status: { value, unit, enforcement: 'none' }, weaker: null };
    const notEven = blind === null || below === undefined ? '' : `; ${blind}`;
    const weaker = `${name} is ${otherwise === 'none' ? 'not held at all' : 'held by sampling only'}: ${error.message}${notEven}`;
    return { status: { value: shown(wanted), unit, enforcement: otherwise }, weaker };
  }
}

/** Memory without a word on swap: no swap, quietly where the kernel does not count it. */
export function withoutSwap(cgroup: BoxCgroup, memory: LimitStatus['value']): void {
  try {
    cgroup.set('swap', memory === 'unlimited' ? 'unlimited' : 0);
  } catch (error) {
    if (!isEnvironmentError(error)) throw error;
  }
}

function resolve(name: CgroupLimitName, value: ResourceValue, allowedCpus: () => string): CgroupValue {
  if (name === 'io-max') {
    return (value as readonly IoRequest[]).map(
      ({ target, ...limits }): IoLimit => ({ device: findDevice(target), ...limits }),
    );
  }
  if (name === 'cpuset') checkCpus(String(value), allowedCpus());
  return value as CgroupValue;
}

function checkCpus(list: string, allowed: string): void {
  const outside = cpusOutside(list, allowed);
  if (outside.length > 0) {
    throw new SpecError(
      `cpuset ${quote(list)}: CPU ${outside.join(', ')} may not be used here; allowed are ${allowed}`,
    );
  }
}

function checkCeiling(name: CgroupLimitName, value: CgroupValue, cgroup: BoxCgroup, unit: LimitUnit): void {
  const ceiling = cgroup.ceiling(name);
  if (typeof value !== 'number' || ceiling.value === 'unlimited' || value <= ceiling.value) return;
  throw new SpecError(
    `${name} ${amount(value, unit)} is above the limit around this box: at most ${amount(ceiling.value, unit)} (${ceiling.path})`,
  );
}

/** Memory once more with the swap beside it: where v1 has lost a limit of swap with that of memory, it has it again. */
export function holdSwapAgain(cgroup: BoxCgroup, swap: Bound): void {
  try {
    cgroup.set('swap', swap);
  } catch (error) {
    // What is in force then is read back, and told.
    if (!isEnvironmentError(error)) throw error;
  }
}

/** As messages show it: lists of devices as text, of each what is limited. */
export function shown(value: CgroupValue): LimitStatus['value'] {
  if (typeof value !== 'object') return value;
  const devices = value.flatMap(({ device, ...limits }) => {
    const parts = Object.entries(limits).filter(([, limit]) => limit !== 'unlimited');
    return parts.length === 0 ? [] : [[device, ...parts.map(([key, limit]) => `${key}=${limit}`)].join(' ')];
  });
  return devices.length === 0 ? 'unlimited' : devices.join('; ');
}
