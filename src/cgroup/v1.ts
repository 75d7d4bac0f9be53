import { EnvironmentError } from '../errors.js';
import {
  makeDirectories,
  read,
  readAll,
  removeDirectories,
  type Task,
  tryWrite,
  tryWriteAll,
  type Writing,
  write,
  writeAll,
} from '../kernel/task.js';
import { type CgroupLimitName, LIMITS, type V1LimitName } from '../options/table/limits.js';
import type { Controller, Hierarchies } from './hierarchy.js';
import { parseV1IoMax, V1_THROTTLE } from './io.js';
import { moveAll } from './join.js';
import type { Adoption, CgroupValue, CleanupStep, IoLimit } from './types.js';
import { parseNumber } from './usage.js';

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
  add(controller: Controller, pids: () => Task<readonly number[]>): Task<string | null>;
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
  readonly adopt?: Pick<Adoption, 'join'> | undefined;
}

/** Makes a directory below ours in each hierarchy. A controller that refuses is left out, and `why` gives the reason. */
export function* makeV1(
  hierarchies: Hierarchies,
  wanted: readonly Controller[],
  { name, beforeMaking = () => {}, adopt }: V1Request,
): Task<V1Groups> {
  const placeOf = (controller: Controller) => hierarchies.v1.get(controller)?.dir;
  const possible = [...new Set([...hierarchies.v1.values()].map((place) => `${place.dir}/${name}`))];
  beforeMaking(possible.map((path) => ({ op: 'rmdir', path })));
  const dirs = new Map<Controller, string>();
  const reasons = new Map<Controller, string>();
  const made = new Set<string>();
  const make = function* (controllers: readonly Controller[]): Task<void> {
    const parents = [...new Set(controllers.map(placeOf))].filter((dir) => dir !== undefined);
    const fresh = parents.filter((parent) => !made.has(`${parent}/${name}`));
    const codes = fresh.length === 0 ? [] : yield* makeDirectories(fresh.map((parent) => `${parent}/${name}`));
    const failures = new Map<string, string>();
    for (const [index, parent] of fresh.entries()) {
      const dir = `${parent}/${name}`;
      const code = codes[index] ?? null;
      if (code === null) {
        const isCpuset = placeOf('cpuset') === parent && controllers.includes('cpuset');
        const inherited = isCpuset ? yield* inheritCpuset(parent, dir) : null;
        const failure = inherited ?? (adopt === undefined ? null : yield* adopt.join(`${dir}/cgroup.procs`));
        if (failure === null) {
          made.add(dir);
          continue;
        }
        yield* removeDirectories([dir]);
        failures.set(dir, failure);
      } else failures.set(dir, `mkdir ${dir}: ${code}`);
    }
    for (const controller of controllers) {
      const parent = placeOf(controller);
      const dir = `${parent}/${name}`;
      const failure = failures.get(dir);
      if (parent === undefined)
        reasons.set(controller, `the ${controller} controller of cgroup v1 is not mounted here`);
      else if (failure === undefined) dirs.set(controller, dir);
      else if (!failure.startsWith('mkdir ')) reasons.set(controller, failure);
      else reasons.set(controller, `${failure}; ask the administrator to delegate ${controller} (docs/limits.md)`);
    }
  };
  yield* make(wanted);
  return {
    dir: (controller) => dirs.get(controller),
    why: (controller) => reasons.get(controller) ?? `${controller} was not asked for at the start`,
    get dirs() {
      return [...made];
    },
    possible,
    *add(controller, pids) {
      yield* make([controller]);
      const dir = dirs.get(controller);
      return dir === undefined ? this.why(controller) : yield* moveAll(`${dir}/cgroup.procs`, pids);
    },
  };
}

/** Copies the parent's cpuset, because a new cpuset is empty and no process can join an empty one. @returns why that failed */
function* inheritCpuset(parent: string, dir: string): Task<string | null> {
  const files = ['mems', 'cpus'];
  const texts = yield* readAll(
    files.flatMap((name) => [`${parent}/cpuset.effective_${name}`, `${parent}/cpuset.${name}`]),
  );
  return yield* tryWriteAll(
    files.map((name, index) => [`${dir}/cpuset.${name}`, texts[2 * index] || (texts[2 * index + 1] ?? '')]),
  );
}

/** Sets and reads one limit in the directory of its controller. */
interface LimitAccess {
  readonly set: (dir: string, value: CgroupValue) => Task<void>;
  /** Null if it cannot be read. */
  readonly read: (dir: string) => Task<CgroupValue | null>;
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
      return writeAll([
        [`${dir}/cpu.cfs_period_us`, String(PERIOD_USEC)],
        [`${dir}/cpu.cfs_quota_us`, quota],
      ]);
    },
    read: readCpus,
  },
  'cpu-weight': {
    set: (dir, value) =>
      write(`${dir}/cpu.shares`, String(Math.max(2, Math.round((Number(value) * SHARES_AT_100) / 100)))),
    *read(dir) {
      const shares = parseNumber(yield* read(`${dir}/cpu.shares`));
      return shares === null ? null : Math.max(1, Math.round((shares * 100) / SHARES_AT_100));
    },
  },
  cpuset: {
    set: (dir, value) => write(`${dir}/cpuset.cpus`, String(value)),
    read: (dir) => read(`${dir}/cpuset.cpus`),
  },
  pids: {
    set: (dir, value) => write(`${dir}/pids.max`, value === 'unlimited' ? 'max' : String(value)),
    read: (dir) => readLimit(`${dir}/pids.max`),
  },
  'io-max': {
    set: (dir, value) => writeAll((value as readonly IoLimit[]).flatMap((limit) => ioWritings(dir, limit))),
    *read(dir) {
      const files = Object.values(V1_THROTTLE);
      const texts = yield* readAll(files.map((file) => `${dir}/${file}`));
      return parseV1IoMax((file) => texts[(files as readonly string[]).indexOf(file)] ?? '');
    },
  },
};

function accessOf(name: CgroupLimitName): LimitAccess | undefined {
  return (ACCESS as Partial<Record<CgroupLimitName, LimitAccess>>)[name];
}

/** Sets a limit in a controller's directory and reads back the value in force. @throws EnvironmentError */
export function* setV1(dir: string, name: CgroupLimitName, value: CgroupValue): Task<CgroupValue> {
  const access = accessOf(name);
  if (access === undefined) throw new EnvironmentError(notInV1(name));
  yield* access.set(dir, value);
  return (yield* access.read(dir)) ?? value;
}

/** Reads the value in force in a controller's directory; null if that cannot be read. */
export function* readV1(dir: string, name: CgroupLimitName): Task<CgroupValue | null> {
  const access = accessOf(name);
  return access === undefined ? null : yield* access.read(dir);
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

type Amount = number | 'unlimited';

/** Reads the limits of memory and of the sum of memory and swap. */
function* readMemoryAndSum(dir: string): Task<readonly [memory: Amount, sum: Amount]> {
  const [memory, sum] = yield* readAll([memoryFile(dir), sumFile(dir)]);
  return [parseLimit(memory), parseLimit(sum)];
}

/** Sets the memory limit and keeps the swap limit: v1 limits memory and the sum of both, so the sum has to move along. */
function* setMemory(dir: string, memory: Amount): Task<void> {
  const before = yield* readMemoryAndSum(dir);
  const [was, sum] = before;
  if (typeof was !== 'number' || typeof sum !== 'number') return yield* write(memoryFile(dir), limitText(memory));
  // Without a memory limit there can be no limit of the sum, so swap is unlimited, too.
  yield* setMemoryAndSum(dir, memory, memory === 'unlimited' ? memory : memory + sum - was, before);
}

function* setSwap(dir: string, swap: Amount): Task<void> {
  const memory = yield* readLimit(memoryFile(dir));
  if (swap !== 'unlimited' && typeof memory !== 'number') {
    throw new EnvironmentError(
      `write a swap limit to ${sumFile(dir)}: cgroup v1 limits memory and swap together; give --memory too`,
    );
  }
  yield* write(sumFile(dir), limitText(swap === 'unlimited' ? swap : Number(memory) + swap));
}

/**
 * The limit of the sum may never be below that of memory. So if the new sum has room for the present memory limit, the sum is
 * written first, otherwise memory is. If the second write is refused, the first is undone.
 */
function* setMemoryAndSum(
  dir: string,
  memory: Amount,
  sum: Amount,
  [memoryBefore, sumBefore]: readonly [Amount, Amount],
): Task<void> {
  const ofMemory = [memoryFile(dir), memory, memoryBefore] as const;
  const ofSum = [sumFile(dir), sum, sumBefore] as const;
  const [first, second] = order(sum) >= order(memoryBefore) ? [ofSum, ofMemory] : [ofMemory, ofSum];
  yield* write(first[0], limitText(first[1]));
  const failure = yield* tryWrite(second[0], limitText(second[1]));
  if (failure === null) return;
  yield* tryWrite(first[0], limitText(first[2]));
  throw new EnvironmentError(failure);
}

function order(limit: Amount): number {
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : limit;
}

function ioWritings(dir: string, limit: IoLimit): Writing[] {
  return Object.entries(V1_THROTTLE).flatMap(([key, file]): Writing[] => {
    const value = limit[key as keyof typeof V1_THROTTLE];
    return value === undefined ? [] : [[`${dir}/${file}`, `${limit.device} ${value === 'unlimited' ? 0 : value}`]];
  });
}

function limitText(value: CgroupValue): string {
  return value === 'unlimited' ? '-1' : String(value);
}

function* readSwap(dir: string): Task<Amount> {
  const [memory, sum] = yield* readMemoryAndSum(dir);
  return typeof sum === 'number' && typeof memory === 'number' ? sum - memory : 'unlimited';
}

function* readLimit(path: string): Task<Amount> {
  return parseLimit(yield* read(path));
}

/** v1 expresses "unlimited" as the largest number of pages, or as -1. */
function parseLimit(text: string | null | undefined): Amount {
  const value = parseNumber(text);
  return value === null || value > Number.MAX_SAFE_INTEGER ? 'unlimited' : value;
}

function* readCpus(dir: string): Task<Amount> {
  const [quotaText, periodText] = yield* readAll([`${dir}/cpu.cfs_quota_us`, `${dir}/cpu.cfs_period_us`]);
  const quota = Number(quotaText ?? -1);
  const period = parseNumber(periodText) ?? PERIOD_USEC;
  return quota <= 0 ? 'unlimited' : quota / period;
}
