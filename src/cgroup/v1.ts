import { makeDirectory } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import { readFile, removeDir, tryWrite, writeFile } from '../kernel/files.js';
import { type CgroupLimitName, LIMITS, type V1LimitName } from '../options/table/limits.js';
import type { Controller, Hierarchies } from './hierarchy.js';
import { parseV1IoMax, V1_THROTTLE } from './io.js';
import { moveAll } from './join.js';
import type { CgroupValue, CleanupStep, IoLimit } from './types.js';
import { readNumber } from './usage.js';

/** The box's directories in v1 hierarchies, one per controller; co-mounted controllers share one. Source: cgroup-v1/*.rst. */
export interface V1Groups {
  /** Returns the directory of a controller; undefined if there is none. */
  dir(controller: Controller): string | undefined;
  /** Explains why a controller has no directory. */
  why(controller: Controller): string;
  /** Directories made so far. */
  readonly dirs: readonly string[];
  /** Every directory that this box could have, for the clean-up. */
  readonly possible: readonly string[];
  /** Makes another directory for a running box and moves `pids` there. @returns why that failed, or null */
  add(controller: Controller, pids: () => readonly number[]): string | null;
}

const PERIOD_USEC = 100_000;
/** The cpu.shares that correspond to v2's default weight, 100. */
const SHARES_AT_100 = 1024;

export interface V1Request {
  /** Name of the box's directories. */
  readonly name: string;
  /** Called before anything is made, with the steps that remove it. */
  readonly beforeMaking?: (steps: readonly CleanupStep[]) => void;
  /** Moves an adopted process into the group. */
  readonly adopt?: { readonly join: (procsFile: string) => string | null };
}

/** Makes a directory below ours in each hierarchy. A controller that refuses is left out, and `why` gives the reason. */
export function makeV1(
  hierarchies: Hierarchies,
  wanted: readonly Controller[],
  { name, beforeMaking = () => {}, adopt }: V1Request,
): V1Groups {
  const possible = [...new Set([...hierarchies.v1.values()].map((place) => `${place.dir}/${name}`))];
  beforeMaking(possible.map((path) => ({ op: 'rmdir', path })));
  const dirs = new Map<Controller, string>();
  const reasons = new Map<Controller, string>();
  const made = new Set<string>();
  const make = (controller: Controller): string | null => {
    const place = hierarchies.v1.get(controller);
    if (place === undefined) return `the ${controller} controller of cgroup v1 is not mounted here`;
    const dir = `${place.dir}/${name}`;
    const code = made.has(dir) ? null : makeDirectory(dir);
    if (code !== null) return `mkdir ${dir}: ${code}; ask the administrator to delegate ${controller} (docs/limits.md)`;
    const inherited = controller === 'cpuset' ? inheritCpuset(place.dir, dir) : null;
    const failure = inherited ?? (made.has(dir) ? null : (adopt?.join(`${dir}/cgroup.procs`) ?? null));
    if (failure !== null) {
      removeDir(dir);
      return failure;
    }
    made.add(dir);
    dirs.set(controller, dir);
    return null;
  };
  for (const controller of wanted) {
    const failure = make(controller);
    if (failure !== null) reasons.set(controller, failure);
  }
  return {
    dir: (controller) => dirs.get(controller),
    why: (controller) => reasons.get(controller) ?? `${controller} was not asked for at the start`,
    get dirs() {
      return [...made];
    },
    possible,
    add(controller, pids) {
      const failure = make(controller);
      return failure ?? moveAll(`${dirs.get(controller)}/cgroup.procs`, pids);
    },
  };
}

/** Copies the parent's cpuset, because a new cpuset is empty and no process can join an empty one. */
function inheritCpuset(parent: string, dir: string): string | null {
  try {
    for (const file of ['cpuset.mems', 'cpuset.cpus']) {
      const effective =
        readFile(`${parent}/cpuset.effective_${file.slice('cpuset.'.length)}`) || readFile(`${parent}/${file}`);
      writeFile(`${dir}/${file}`, effective ?? '');
    }
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Sets and reads one limit in the directory of its controller. */
interface LimitAccess {
  readonly set: (dir: string, value: CgroupValue) => void;
  /** Null if it cannot be read. */
  readonly read: (dir: string) => CgroupValue | null;
}

const ACCESS: Readonly<Record<V1LimitName, LimitAccess>> = {
  memory: {
    set: (dir, value) => setMemory(dir, value as number | 'unlimited'),
    read: (dir) => readLimit(memoryFile(dir)),
  },
  swap: {
    set: (dir, value) => setSwap(dir, value as number | 'unlimited'),
    read: readSwap,
  },
  cpus: {
    set(dir, value) {
      const quota = value === 'unlimited' ? '-1' : String(Math.round(Number(value) * PERIOD_USEC));
      writeFile(`${dir}/cpu.cfs_period_us`, String(PERIOD_USEC));
      writeFile(`${dir}/cpu.cfs_quota_us`, quota);
    },
    read: readCpus,
  },
  'cpu-weight': {
    set(dir, value) {
      writeFile(`${dir}/cpu.shares`, String(Math.max(2, Math.round((Number(value) * SHARES_AT_100) / 100))));
    },
    read(dir) {
      const shares = readNumber(`${dir}/cpu.shares`);
      return shares === null ? null : Math.max(1, Math.round((shares * 100) / SHARES_AT_100));
    },
  },
  cpuset: {
    set: (dir, value) => writeFile(`${dir}/cpuset.cpus`, String(value)),
    read: (dir) => readFile(`${dir}/cpuset.cpus`),
  },
  pids: {
    set: (dir, value) => writeFile(`${dir}/pids.max`, value === 'unlimited' ? 'max' : String(value)),
    read: (dir) => readLimit(`${dir}/pids.max`),
  },
  'io-max': {
    set(dir, value) {
      for (const limit of value as readonly IoLimit[]) setIo(dir, limit);
    },
    read: (dir) => parseV1IoMax((file) => readFile(`${dir}/${file}`) ?? ''),
  },
};

function accessOf(name: CgroupLimitName): LimitAccess | undefined {
  return (ACCESS as Partial<Record<CgroupLimitName, LimitAccess>>)[name];
}

/** Sets a limit in a controller's directory and reads back the value in force. @throws EnvironmentError */
export function setV1(dir: string, name: CgroupLimitName, value: CgroupValue): CgroupValue {
  const access = accessOf(name);
  if (access === undefined) throw new EnvironmentError(notInV1(name));
  access.set(dir, value);
  return access.read(dir) ?? value;
}

/** Reads the value in force in a controller's directory; null if that cannot be read. */
export function readV1(dir: string, name: CgroupLimitName): CgroupValue | null {
  return accessOf(name)?.read(dir) ?? null;
}

/** Explains why v1 cannot enforce a limit although it has the controller. */
export function notInV1(name: CgroupLimitName): string {
  return `cgroup v1 has no ${LIMITS[name].cgroup.v2[1]}`;
}

function memoryFile(dir: string): string {
  return `${dir}/${LIMITS.memory.cgroup.v1[1]}`;
}

/** The file that limits memory and swap together. */
function sumFile(dir: string): string {
  return `${dir}/${LIMITS.swap.cgroup.v1[1]}`;
}

/** Sets the memory limit and keeps the swap limit: v1 limits memory and the sum of both, so the sum has to move along. */
function setMemory(dir: string, memory: number | 'unlimited'): void {
  const was = readLimit(memoryFile(dir));
  const sum = readLimit(sumFile(dir));
  if (typeof was !== 'number' || typeof sum !== 'number') return setMemoryAndSum(dir, memory, null);
  // Without a memory limit there can be no limit of the sum, so swap is unlimited, too.
  setMemoryAndSum(dir, memory, memory === 'unlimited' ? memory : memory + sum - was);
}

function setSwap(dir: string, swap: number | 'unlimited'): void {
  const memory = readLimit(memoryFile(dir));
  if (swap !== 'unlimited' && typeof memory !== 'number') {
    throw new EnvironmentError(
      `write a swap limit to ${sumFile(dir)}: cgroup v1 limits memory and swap together; give --memory too`,
    );
  }
  writeFile(sumFile(dir), limitText(swap === 'unlimited' ? swap : Number(memory) + swap));
}

/**
 * The limit of the sum may never be below that of memory. So if the new sum has room for the present memory limit, the sum is
 * written first, otherwise memory is. If the second write is refused, the first is undone.
 * @param sum null leaves it as it is
 */
function setMemoryAndSum(dir: string, memory: number | 'unlimited', sum: number | 'unlimited' | null): void {
  const files = [memoryFile(dir), sumFile(dir)] as const;
  const before = files.map(readLimit) as [number | 'unlimited', number | 'unlimited'];
  const steps: [path: string, to: number | 'unlimited', from: number | 'unlimited'][] = [[files[0], memory, before[0]]];
  if (sum !== null) steps.push([files[1], sum, before[1]]);
  if (sum !== null && order(sum) >= order(before[0])) steps.reverse();
  const [first, second] = steps as [(typeof steps)[0], (typeof steps)[0] | undefined];
  writeFile(first[0], limitText(first[1]));
  if (second === undefined) return;
  try {
    writeFile(second[0], limitText(second[1]));
  } catch (error) {
    tryWrite(first[0], limitText(first[2]));
    throw error;
  }
}

function order(limit: number | 'unlimited'): number {
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : limit;
}

function setIo(dir: string, limit: IoLimit): void {
  for (const [key, file] of Object.entries(V1_THROTTLE)) {
    const value = limit[key as keyof typeof V1_THROTTLE];
    if (value !== undefined) writeFile(`${dir}/${file}`, `${limit.device} ${value === 'unlimited' ? 0 : value}`);
  }
}

function limitText(value: CgroupValue): string {
  return value === 'unlimited' ? '-1' : String(value);
}

function readSwap(dir: string): number | 'unlimited' {
  const memory = readLimit(memoryFile(dir));
  const sum = readLimit(sumFile(dir));
  return typeof sum === 'number' && typeof memory === 'number' ? sum - memory : 'unlimited';
}

/** v1 expresses "unlimited" as the largest number of pages, or as -1. */
function readLimit(path: string): number | 'unlimited' {
  const value = readNumber(path);
  return value === null || value > Number.MAX_SAFE_INTEGER ? 'unlimited' : value;
}

function readCpus(dir: string): number | 'unlimited' {
  const quota = Number(readFile(`${dir}/cpu.cfs_quota_us`) ?? -1);
  const period = readNumber(`${dir}/cpu.cfs_period_us`) ?? PERIOD_USEC;
  return quota <= 0 ? 'unlimited' : quota / period;
}
