import { parseByteLimit, parsePids, parseTimeLimit, parseTimeout } from '../limit-values.js';
import { parseCpuList, parseCpus, parseIoMax, parseMemory, parseSwap } from '../resources.js';
import { parseCount } from '../units.js';
import type { LimitRow } from './limit.js';

/**
 * The table of limits of a box, but for rlimits (rlimits.ts). A new limit is a row here, what sets it in cgroup/v1.ts and
 * cgroup/v2.ts (or in the watchdog), and its test. v1 counts swap on top of memory, so memory comes first.
 */
export const LIMITS = {
  timeout: {
    type: 'duration',
    placeholder: 'duration',
    default: '10m',
    help: "wall clock limit: 1h30m, 1d, 90 (seconds), or as in Slurm MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS; 0 means none; scheduler: a little before the job's own end, which Slurm is asked for where its environment does not tell; inside a Slurm or PBS job that is the default, without asking",
    parse: parseTimeout,
    change: parseTimeLimit,
    unit: 'ms',
    zeroIsNone: true,
    otherwise: 'timer',
  },
  stdoutlimit: {
    type: 'size',
    placeholder: 'size',
    default: '100GiB',
    help: 'bytes of stdout before the job is stopped; 0 means none',
    parse: parseByteLimit,
    unit: 'bytes',
    zeroIsNone: true,
    otherwise: 'stdout',
  },
  memory: {
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'memory of the box with its page cache; more is reclaimed or ends the box (oom); 0 means none',
    parse: parseMemory,
    unit: 'bytes',
    zeroIsNone: true,
    cgroup: {
      v2: ['memory', 'memory.max'],
      v1: ['memory', 'memory.limit_in_bytes'],
      used: { v2: 'memory.current', v1: 'memory.usage_in_bytes' },
      ceiling: true,
      trial: 67_108_864,
      argument: 'cgroup_enable=memory',
    },
    otherwise: 'watchdog',
  },
  'memory-high': {
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'above this the box is slowed down and its memory reclaimed; 0 means none',
    parse: parseMemory,
    unit: 'bytes',
    zeroIsNone: true,
    cgroup: {
      v2: ['memory', 'memory.high'],
      v1: ['memory', null],
      trial: 67_108_864,
      argument: 'cgroup_enable=memory',
    },
  },
  swap: {
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'swap beside --memory; 0 is no swap at all, which is what --memory alone gives',
    parse: parseSwap,
    unit: 'bytes',
    cgroup: {
      v2: ['memory', 'memory.swap.max'],
      v1: ['memory', 'memory.memsw.limit_in_bytes'],
      trial: 0,
      argument: 'swapaccount=1',
    },
  },
  cpus: {
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'CPU time per time, in cores: 1.5; 0 means no limit',
    parse: parseCpus,
    unit: 'cpus',
    zeroIsNone: true,
    cgroup: {
      v2: ['cpu', 'cpu.max'],
      v1: ['cpu', 'cpu.cfs_quota_us'],
      ceiling: true,
      trial: 1,
    },
  },
  'cpu-weight': {
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'share of busy CPUs against other groups, 1 to 10000; 100 is the usual one',
    parse: (text: string) => parseCount(text, 1, 10_000),
    unit: 'count',
    cgroup: {
      v2: ['cpu', 'cpu.weight'],
      v1: ['cpu', 'cpu.shares'],
      trial: 100,
    },
  },
  cpuset: {
    type: 'text',
    placeholder: 'list',
    default: '',
    help: 'CPUs that the box may run on: 0-3,5',
    parse: parseCpuList,
    unit: 'list',
    cgroup: {
      v2: ['cpuset', 'cpuset.cpus'],
      v1: ['cpuset', 'cpuset.cpus'],
      trial: 'allowed CPUs',
    },
  },
  pids: {
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'processes and threads of the box; more are refused (EAGAIN); 0 means none',
    parse: parsePids,
    unit: 'count',
    zeroIsNone: true,
    cgroup: {
      v2: ['pids', 'pids.max'],
      v1: ['pids', 'pids.max'],
      used: { v2: 'pids.current', v1: 'pids.current' },
      ceiling: true,
      trial: 64,
    },
    otherwise: 'watchdog',
  },
  'io-max': {
    type: 'limit',
    placeholder: 'dev:key=limit',
    default: '',
    help: 'rate of a block device, named by itself or a file on it: /dev/sda:rbps=10M,wbps=10M,riops=100,wiops=100; repeatable',
    parse: parseIoMax,
    repeatable: true,
    shapes: ['list'],
    unit: 'list',
    cgroup: {
      v2: ['io', 'io.max'],
      v1: ['blkio', 'blkio.throttle.read_bps_device'],
      trial: 'root device',
    },
  },
  'cpu-time': {
    type: 'duration',
    placeholder: 'duration',
    default: '',
    help: 'CPU time of all processes of the box together, in the forms of --timeout; 0 means none',
    parse: parseTimeLimit,
    unit: 'ms',
    zeroIsNone: true,
    otherwise: 'watchdog',
  },
} as const satisfies Readonly<Record<string, LimitRow>>;

type Rows = typeof LIMITS;
export type LimitName = keyof Rows;

/** Those whose row has such a field. */
type NamesWith<Part> = { [N in LimitName]: Rows[N] extends Part ? N : never }[LimitName];

/** Limits that a control group can hold. */
export type CgroupLimitName = NamesWith<{ readonly cgroup: unknown }>;
/** Those that v1 has as well. */
export type V1LimitName = NamesWith<{ readonly cgroup: { readonly v1: readonly [string, string] } }>;
/** Limits that the kernel counts in a file of its own. */
export type CountedName = NamesWith<{ readonly cgroup: { readonly used: unknown } }>;
/** Limits that sampling can hold. */
export type WatchedName = NamesWith<{ readonly otherwise: 'watchdog' }>;
/** Limits of the box as a whole: those of control groups, and those that sampling holds. */
export type ResourceName = Exclude<LimitName, NamesWith<{ readonly otherwise: 'timer' | 'stdout' }>>;

/** What was asked for of them: bytes, cores, ms, or as their parsers return it. */
export type Resources = { readonly [N in ResourceName]?: ReturnType<Rows[N]['parse']> };

/** In the order in which they are put in force. A function, so that bundles that do not call it leave the table out. */
export function resourceNames(): readonly ResourceName[] {
  return (Object.keys(LIMITS) as LimitName[]).filter(isResource);
}

function isResource(name: LimitName): name is ResourceName {
  const { otherwise }: LimitRow = LIMITS[name];
  return otherwise === undefined || otherwise === 'watchdog';
}

export function isCgroupLimit(name: LimitName): name is CgroupLimitName {
  return 'cgroup' in LIMITS[name];
}
