import { parseCpuList, parseCpus, parseIoMax, parseMemory, parseSwap } from '../resources.js';
import { parseRlimits } from '../rlimits.js';
import { parseBoolean, parseCount } from '../units.js';
import {
  parseByteLimit,
  parseCgroupMode,
  parseEnforce,
  parseNear,
  parsePids,
  parseTimeLimit,
  parseTimeout,
} from '../values.js';
import type { Option } from './option.js';

/** Limits of the box and of its processes, and what holds them. */
export const LIMITS = {
  timeout: {
    type: 'duration',
    placeholder: 'duration',
    default: '10m',
    help: "wall clock limit: 1h30m, 1d, 90 (seconds), or as in Slurm MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS; 0 means none; scheduler: a little before the job's own end, which Slurm is asked for where its environment does not tell; inside a Slurm or PBS job that is the default, without asking",
    parse: parseTimeout,
  },
  stdoutlimit: {
    type: 'size',
    placeholder: 'size',
    default: '100GiB',
    help: 'bytes of stdout before the job is stopped; 0 means none',
    parse: parseByteLimit,
  },
  memory: {
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'memory of the box with its page cache; more is reclaimed or ends the box (oom); 0 means none',
    parse: parseMemory,
  },
  'memory-high': {
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'above this the box is slowed down and its memory reclaimed; 0 means none',
    parse: parseMemory,
  },
  swap: {
    type: 'size',
    placeholder: 'size',
    default: '',
    help: 'swap beside --memory; 0 is no swap at all, which is what --memory alone gives',
    parse: parseSwap,
  },
  cpus: {
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'CPU time per time, in cores: 1.5; 0 means no limit',
    parse: parseCpus,
  },
  'cpu-weight': {
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'share of busy CPUs against other groups, 1 to 10000; 100 is the usual one',
    parse: (text: string) => parseCount(text, 1, 10_000),
  },
  cpuset: {
    type: 'text',
    placeholder: 'list',
    default: '',
    help: 'CPUs that the box may run on: 0-3,5',
    parse: parseCpuList,
  },
  pids: {
    type: 'count',
    placeholder: 'number',
    default: '',
    help: 'processes and threads of the box; more are refused (EAGAIN); 0 means none',
    parse: parsePids,
  },
  'io-max': {
    type: 'limit',
    placeholder: 'dev:key=limit',
    default: '',
    help: 'rate of a block device, named by itself or a file on it: /dev/sda:rbps=10M,wbps=10M,riops=100,wiops=100; repeatable',
    parse: parseIoMax,
    repeatable: true,
    shapes: ['list'],
  },
  'cpu-time': {
    type: 'duration',
    placeholder: 'duration',
    default: '',
    help: 'CPU time of all processes of the box together, in the forms of --timeout; 0 means none',
    parse: parseTimeLimit,
  },
  cgroup: {
    type: 'text',
    placeholder: 'auto|off|paths',
    default: 'auto',
    help: 'control groups: where possible below our own, none at all, or below these directories, comma-separated: a cgroup2 directory, or one of a v1 hierarchy each',
    parse: parseCgroupMode,
  },
  enforce: {
    type: 'text',
    placeholder: 'strict|best-effort',
    default: 'best-effort',
    help: 'refuse to start, or warn, where a limit can only be held weaker than by the kernel',
    parse: parseEnforce,
  },
  'oom-group': {
    type: 'boolean',
    default: 'true',
    help: 'out of memory ends the whole box, not one process of it',
    parse: parseBoolean,
  },
  near: {
    type: 'text',
    placeholder: 'percents',
    default: '80,95',
    help: 'tell by an event and in the samples when so many percent of --memory, --timeout, --stdoutlimit or --pids are used; none tells nothing',
    parse: parseNear,
  },
  rlimit: {
    type: 'limit',
    placeholder: 'name=soft:hard',
    default: '',
    help: 'limit of setrlimit(2) for every process of the job, named as in prlimit(1): nofile=1024:4096, core=unlimited; repeatable',
    parse: parseRlimits,
    repeatable: true,
    shapes: ['list', 'map'],
  },
} as const satisfies Readonly<Record<string, Option>>;
