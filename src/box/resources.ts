import type { BoxCgroup, CgroupValue, IoLimit } from '../cgroup/types.js';
import { isEnvironmentError, SpecError } from '../errors.js';
import { findDevice } from '../kernel/devices.js';
import { type Task, together } from '../kernel/task.js';
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
 * A limit of the box as a whole after it was put in force. The kernel's control groups enforce it if this host and user
 * allow that; otherwise the sampling watchdog does if it can; otherwise nothing does (docs/limits.md).
 */
export interface Enforced {
  readonly status: LimitStatus;
  /** Why it is enforced less strictly than by the kernel; null if the kernel enforces it. */
  readonly weaker: string | null;
}

export type ResourceValue = Bound | string | readonly IoRequest[];

/** What the host, apart from its control groups, allows in the way of limits. */
export interface HostConstraints {
  /** Returns the CPUs that the scheduler allows: `Cpus_allowed_list` in proc_pid_status(5). */
  readonly allowedCpus: () => Task<string>;
}

/** Selects the requested limits that control groups can enforce. */
export function cgroupNames(resources: Resources): CgroupLimitName[] {
  return resourceNames()
    .filter((name) => resources[name] !== undefined)
    .filter(isCgroupLimit);
}

/**
 * Puts one limit in force.
 * @throws SpecError for a value that this host cannot provide: an unknown device, a CPU that we may not use, more than a
 * group around the box allows
 */
export function* enforce(
  name: ResourceName,
  value: ResourceValue,
  cgroup: BoxCgroup,
  host: HostConstraints,
): Task<Enforced> {
  const { unit, otherwise: below }: LimitRow = LIMITS[name];
  const otherwise: 'watchdog' | 'none' = below === 'watchdog' ? 'watchdog' : 'none';
  if (!isCgroupLimit(name)) {
    return { status: { value: value as Bound, unit, enforcement: otherwise }, weaker: null };
  }
  const wanted = yield* resolve(name, value, host.allowedCpus);
  yield* checkCeiling(name, wanted, cgroup, unit);
  try {
    const now = yield* cgroup.set(name, wanted);
    const by = cgroup.holds(name);
    const enforcement = 'mechanism' in by ? by.mechanism : otherwise;
    return { status: { value: displayed(now), unit, enforcement }, weaker: null };
  } catch (error) {
    if (!isEnvironmentError(error)) throw error;
    // "unlimited" needs no enforcement, unless a group still enforces the old value.
    if (value === 'unlimited' && !('mechanism' in cgroup.holds(name)))
      return { status: { value, unit, enforcement: 'none' }, weaker: null };
    const weaker = `${name} is ${otherwise === 'none' ? 'not held at all' : 'held by sampling only'}: ${error.message}`;
    return { status: { value: displayed(wanted), unit, enforcement: otherwise }, weaker };
  }
}

/** Denies swap to a box that has a memory limit but no swap limit. Does nothing if the kernel does not count swap. */
export function* disableSwap(cgroup: BoxCgroup, memory: LimitStatus['value']): Task<void> {
  try {
    yield* cgroup.set('swap', memory === 'unlimited' ? 'unlimited' : 0);
  } catch (error) {
    if (!isEnvironmentError(error)) throw error;
  }
}

function* resolve(name: CgroupLimitName, value: ResourceValue, allowedCpus: () => Task<string>): Task<CgroupValue> {
  if (name === 'io-max') {
    const asked = value as readonly IoRequest[];
    const devices = yield* together(asked.map(({ target }) => findDevice(target)));
    return asked.map(({ target: _, ...limits }, index): IoLimit => ({ device: devices[index] as string, ...limits }));
  }
  if (name === 'cpuset') checkCpus(String(value), yield* allowedCpus());
  return value as CgroupValue;
}

function checkCpus(list: string, allowed: string): void {
  const outside = cpusOutside(list, allowed);
  if (outside.length > 0) {
    throw new SpecError(`cpuset ${quote(list)}: CPU ${outside.join(', ')} may not be used here; allowed: ${allowed}`);
  }
}

function* checkCeiling(name: CgroupLimitName, value: CgroupValue, cgroup: BoxCgroup, unit: LimitUnit): Task<void> {
  const ceiling = yield* cgroup.ceiling(name);
  if (typeof value !== 'number' || ceiling.value === 'unlimited' || value <= ceiling.value) return;
  throw new SpecError(
    `${name} ${amount(value, unit)} is above the limit around this box: at most ${amount(ceiling.value, unit)} (${ceiling.path})`,
  );
}

/** Sets the swap limit again after a change of the memory limit, because v1 may have lost it with that change. */
export function* restoreSwap(cgroup: BoxCgroup, swap: Bound): Task<void> {
  try {
    yield* cgroup.set('swap', swap);
  } catch (error) {
    // The caller reads back which limit is in force and reports that.
    if (!isEnvironmentError(error)) throw error;
  }
}

/** The value as messages show it; per-device limits become text. */
export function displayed(value: CgroupValue): LimitStatus['value'] {
  if (typeof value !== 'object') return value;
  const devices = value.flatMap(({ device, ...limits }) => {
    const parts = Object.entries(limits).filter(([, limit]) => limit !== 'unlimited');
    return parts.length === 0 ? [] : [[device, ...parts.map(([key, limit]) => `${key}=${limit}`)].join(' ')];
  });
  return devices.length === 0 ? 'unlimited' : devices.join('; ');
}
