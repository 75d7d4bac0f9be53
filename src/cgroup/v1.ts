import { makeDirectory } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import { readFile, removeDir, writeFile } from './files.js';
import type { Controller, Hierarchies } from './hierarchy.js';
import { V1_THROTTLE } from './io.js';
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
      setMemory(dir, limitText(value));
      return readLimit(`${dir}/memory.limit_in_bytes`);
    case 'memory-high':
      throw new EnvironmentError('cgroup v1 has no memory.high');
    case 'swap':
      return setSwap(dir, value);
    case 'cpus':
      writeFile(`${dir}/cpu.cfs_period_us`, String(PERIOD_USEC));
      writeFile(
        `${dir}/cpu.cfs_quota_us`,
        value === 'unlimited' ? '-1' : String(Math.round(Number(value) * PERIOD_USEC)),
      );
      return readCpus(dir);
    case 'cpu-weight':
      writeFile(`${dir}/cpu.shares`, String(Math.max(2, Math.round((Number(value) * SHARES_AT_100) / 100))));
      return Number(value);
    case 'cpuset':
      writeFile(`${dir}/cpuset.cpus`, String(value));
      return readFile(`${dir}/cpuset.cpus`) ?? String(value);
    case 'pids':
      writeFile(`${dir}/pids.max`, value === 'unlimited' ? 'max' : String(value));
      return readLimit(`${dir}/pids.max`);
    case 'io-max':
      for (const limit of value as readonly IoLimit[]) setIo(dir, limit);
      return value;
  }
}

/**
 * v1 counts memory and swap together: the swap beside the memory stays what it was. The sum may never be below the
 * memory, so whichever grows goes first.
 */
function setMemory(dir: string, text: string): void {
  const file = `${dir}/memory.limit_in_bytes`;
  const sumFile = `${dir}/memory.memsw.limit_in_bytes`;
  const [memory, sum] = [readLimit(file), readLimit(sumFile)];
  if (typeof memory !== 'number' || typeof sum !== 'number') return writeFile(file, text);
  const newSum = text === '-1' ? '-1' : String(Number(text) + sum - memory);
  const grows = text === '-1' || Number(text) > memory;
  for (const [path, value] of grows
    ? ([
        [sumFile, newSum],
        [file, text],
      ] as const)
    : ([
        [file, text],
        [sumFile, newSum],
      ] as const))
    writeFile(path, value);
}

/** v1 counts memory and swap together: the limit of swap is what is above the limit of memory. */
function setSwap(dir: string, value: CgroupValue): CgroupValue {
  const file = `${dir}/memory.memsw.limit_in_bytes`;
  const memory = readLimit(`${dir}/memory.limit_in_bytes`);
  if (value !== 'unlimited' && typeof memory !== 'number') {
    throw new EnvironmentError(
      `write a swap limit to ${file}: cgroup v1 limits memory and swap together; give --memory too`,
    );
  }
  writeFile(file, value === 'unlimited' ? '-1' : String(Number(memory) + Number(value)));
  const both = readLimit(file);
  return typeof both === 'number' && typeof memory === 'number' ? both - memory : 'unlimited';
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
