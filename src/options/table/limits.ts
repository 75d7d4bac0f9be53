import { parseByteLimit, parsePids, parseTimeLimit, parseTimeout } from '../limit-values.js';
import { parseCpuList, parseCpus, parseIoMax, parseMemory, parseSwap } from '../resources.js';
import { parseCount } from '../units.js';
import type { LimitRow } from './limit.js';

/**
 * The table of a box's limits, except rlimits (rlimits.ts). A new limit needs a row here, its mechanism in cgroup/v1.ts and
 * cgroup/v2.ts (or in the watchdog), and a test. Limits are set in this order: v1 limits memory and swap together, so memory
 * comes before swap.
 */
export const LIMITS = {
  timeout: {
    type: 'duration',
    placeholder: 'duration',
    default: '10m',
    help: "wall clock limit: 1h30m, 1d, 90 (seconds), or as in Slurm MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS; 0 means no limit; scheduler means a little before the end of the scheduler's job, and asks Slurm for that end if the environment does not say; inside a Slurm or PBS job this is the default, but without asking",
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
    help: 'bytes of stdout before the job is stopped; 0 means no limit',
    parse: parseByteLimit,
    unit: 'bytes',
    zeroIsNone: true,
    otherwise: 'stdout',
  },
  memory: {
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'memory of the box including page cache; at the limit, memory is reclaimed or the box is killed (oom); 0 means no limit',
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
    help: 'above this the box is slowed down and its memory reclaimed; 0 means no limit',
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
    help: 'swap in addition to --memory; 0 means no swap, which is the default with --memory',
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
    help: 'CPU bandwidth, in cores: 1.5; 0 means no limit',
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
    help: 'share of busy CPUs relative to other groups, 1 to 10000; 100 is the usual weight',
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
    help: 'processes and threads of the box; more are refused (EAGAIN); 0 means no limit',
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
    help: 'rate limits of a block device, named by its path or by a file on it: /dev/sda:rbps=10M,wbps=10M,riops=100,wiops=100; repeatable',
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
    help: 'CPU time of all processes of the box together, in the forms of --timeout; 0 means no limit',
    parse: parseTimeLimit,
    unit: 'ms',
    zeroIsNone: true,
    otherwise: 'watchdog',
  },
} as const satisfies Readonly<Record<string, LimitRow>>;

type Rows = typeof LIMITS;
export type LimitName = keyof Rows;

/** The limits whose row has such a field. */
type NamesWith<Part> = { [N in LimitName]: Rows[N] extends Part ? N : never }[LimitName];

/** Limits that a control group can enforce. */
export type CgroupLimitName = NamesWith<{ readonly cgroup: unknown }>;
/** Limits that v1 has as well. */
export type V1LimitName = NamesWith<{ readonly cgroup: { readonly v1: readonly [string, string] } }>;
/** Limits whose usage the kernel counts in a separate file. */
export type CountedName = NamesWith<{ readonly cgroup: { readonly used: unknown } }>;
/** Limits that the watchdog can enforce by sampling. */
export type WatchedName = NamesWith<{ readonly otherwise: 'watchdog' }>;
/** Limits of the box as a whole: those of control groups and of the watchdog. */
export type ResourceName = Exclude<LimitName, NamesWith<{ readonly otherwise: 'timer' | 'stdout' }>>;

/** The requested limits, as their parsers return them: bytes, cores, ms, ... */
export type Resources = { readonly [N in ResourceName]?: ReturnType<Rows[N]['parse']> };

/** Names in the order in which the limits are set. This is a function so that bundles that do not call it omit the table. */
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
