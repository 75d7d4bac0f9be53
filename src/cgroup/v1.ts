import { makeDirectory } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import { readFile, removeDir, tryWrite, writeFile } from '../kernel/files.js';
import type { Controller, Hierarchies } from './hierarchy.js';
import { parseV1IoMax, V1_THROTTLE } from './io.js';
import { moveAll } from './join.js';
import type { CgroupLimitName, CgroupValue, CleanupStep, IoLimit } from './types.js';
import { readNumber } from './usage.js';

/** The box's directories in v1 hierarchies, one a controller (co-mounted ones share theirs). cgroup-v1/*.rst. */
export interface V1Groups {
  /** Directory of a controller, or why there is none. */
  dir(controller: Controller): string | undefined;
  why(controller: Controller): string;
  /** Made so far. */
  readonly dirs: readonly string[];
  /** Where directories of this box could be: for the clean-up. */
  readonly possible: readonly string[];
  /** Makes one more for a running box and moves `pids` there. @returns why not, or null */
  add(controller: Controller, pids: () => readonly number[]): string | null;
}

/** Which controller holds which limit. */
export const V1_CONTROLLER: Readonly<Record<CgroupLimitName, Controller>> = {
  memory: 'memory',
  'memory-high': 'memory',
  swap: 'memory',
  cpus: 'cpu',
  'cpu-weight': 'cpu',
  cpuset: 'cpuset',
  pids: 'pids',
  'io-max': 'blkio',
};

const PERIOD_USEC = 100_000;
/** cpu.shares of a group with the default weight of v2, 100. */
const SHARES_AT_100 = 1024;

/** Files that say how much a group around the box allows. */
export const V1_CEILING: Partial<Record<CgroupLimitName, (dir: string) => number | 'unlimited'>> = {
  memory: (dir) => readLimit(`${dir}/memory.limit_in_bytes`),
  pids: (dir) => readLimit(`${dir}/pids.max`),
  cpus: readCpus,
};

export interface V1Request {
  /** Name of the box's directories. */
  readonly name: string;
  /** Told before something is made how to take it away. */
  readonly beforeMaking?: (steps: readonly CleanupStep[]) => void;
  /** For a process that runs already: moves it into the group. */
  readonly adopt?: { readonly join: (procsFile: string) => string | null };
}

/** Makes a directory below ours in each hierarchy; a controller that refuses is left out, with its reason. */
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
    if (place === undefined) return `cgroup v1 has no ${controller} controller mounted here`;
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

/** A new cpuset is empty, and nothing can join an empty one. */
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

/** Sets a limit in a controller's directory and reads back what is in force. @throws EnvironmentError */
export function setV1(dir: string, name: CgroupLimitName, value: CgroupValue): CgroupValue {
  switch (name) {
    case 'memory':
      setMemory(dir, value as number | 'unlimited');
      break;
    case 'memory-high':
      throw new EnvironmentError('cgroup v1 has no memory.high');
    case 'swap':
      setSwap(dir, value as number | 'unlimited');
      break;
    case 'cpus':
      writeFile(`${dir}/cpu.cfs_period_us`, String(PERIOD_USEC));
      writeFile(
        `${dir}/cpu.cfs_quota_us`,
        value === 'unlimited' ? '-1' : String(Math.round(Number(value) * PERIOD_USEC)),
      );
      break;
    case 'cpu-weight':
      writeFile(`${dir}/cpu.shares`, String(Math.max(2, Math.round((Number(value) * SHARES_AT_100) / 100))));
      break;
    case 'cpuset':
      writeFile(`${dir}/cpuset.cpus`, String(value));
      break;
    case 'pids':
      writeFile(`${dir}/pids.max`, value === 'unlimited' ? 'max' : String(value));
      break;
    case 'io-max':
      for (const limit of value as readonly IoLimit[]) setIo(dir, limit);
  }
  return readV1(dir, name) ?? value;
}

/** What is in force in a controller's directory; null where that cannot be read. */
export function readV1(dir: string, name: CgroupLimitName): CgroupValue | null {
  switch (name) {
    case 'memory':
      return readLimit(`${dir}/memory.limit_in_bytes`);
    case 'memory-high':
      return null;
    case 'swap': {
      const [memory, sum] = [
        readLimit(`${dir}/memory.limit_in_bytes`),
        readLimit(`${dir}/memory.memsw.limit_in_bytes`),
      ];
      return typeof sum === 'number' && typeof memory === 'number' ? sum - memory : 'unlimited';
    }
    case 'cpus':
      return readCpus(dir);
    case 'cpu-weight': {
      const shares = readNumber(`${dir}/cpu.shares`);
      return shares === null ? null : Math.max(1, Math.round((shares * 100) / SHARES_AT_100));
    }
    case 'cpuset':
      return readFile(`${dir}/cpuset.cpus`);
    case 'pids':
      return readLimit(`${dir}/pids.max`);
    case 'io-max':
      return parseV1IoMax((file) => readFile(`${dir}/${file}`) ?? '');
  }
}

/** v1 counts memory and swap together: the swap beside the memory stays what it was. */
function setMemory(dir: string, memory: number | 'unlimited'): void {
  const was = readLimit(`${dir}/memory.limit_in_bytes`);
  const sum = readLimit(`${dir}/memory.memsw.limit_in_bytes`);
  if (typeof was !== 'number' || typeof sum !== 'number') return setMemoryAndSum(dir, memory, null);
  // Without a limit of memory the sum can have none either: then swap has none.
  setMemoryAndSum(dir, memory, memory === 'unlimited' ? memory : memory + sum - was);
}

function setSwap(dir: string, swap: number | 'unlimited'): void {
  const memory = readLimit(`${dir}/memory.limit_in_bytes`);
  if (swap !== 'unlimited' && typeof memory !== 'number') {
    throw new EnvironmentError(
      `write a swap limit to ${dir}/memory.memsw.limit_in_bytes: cgroup v1 limits memory and swap together; give --memory too`,
    );
  }
  writeFile(`${dir}/memory.memsw.limit_in_bytes`, limitText(swap === 'unlimited' ? swap : Number(memory) + swap));
}

/**
 * The sum of memory and swap may never be below the memory: where the new sum has room for the memory of now it goes
 * first, else the memory does. Where the second is refused the first is taken back.
 * @param sum null: stays as it is
 */
function setMemoryAndSum(dir: string, memory: number | 'unlimited', sum: number | 'unlimited' | null): void {
  const files = [`${dir}/memory.limit_in_bytes`, `${dir}/memory.memsw.limit_in_bytes`] as const;
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

/** v1 says "none" with the largest number of pages, or -1. */
function readLimit(path: string): number | 'unlimited' {
  const value = readNumber(path);
  return value === null || value > Number.MAX_SAFE_INTEGER ? 'unlimited' : value;
}

function readCpus(dir: string): number | 'unlimited' {
  const quota = Number(readFile(`${dir}/cpu.cfs_quota_us`) ?? -1);
  const period = readNumber(`${dir}/cpu.cfs_period_us`) ?? PERIOD_USEC;
  return quota <= 0 ? 'unlimited' : quota / period;
}
