import { parseRlimits } from '../rlimits.js';
import { parseBoolean } from '../units.js';
import { parseCgroupMode, parseEnforce, parseNear } from '../values.js';
import type { Option } from './option.js';

/** What enforces the limits of limits.ts and how strictly, and the limits of each process. */
export const ENFORCEMENT = {
  cgroup: {
    type: 'text',
    placeholder: 'auto|off|paths',
    default: 'auto',
    help: 'where to make control groups: auto (below our own, if possible), off (nowhere), or below these comma-separated directories, one per hierarchy',
    parse: parseCgroupMode,
  },
  enforce: {
    type: 'text',
    placeholder: 'strict|best-effort',
    default: 'best-effort',
    help: 'refuse to start, or warn, if the kernel cannot enforce a limit',
    parse: parseEnforce,
  },
  'oom-group': {
    type: 'boolean',
    default: 'true',
    help: 'if memory runs out, kill the whole box instead of one of its processes',
    parse: parseBoolean,
  },
  near: {
    type: 'text',
    placeholder: 'percents',
    default: '80,95',
    help: 'report in an event and in the samples when these percentages of --memory, --timeout, --stdoutlimit or --pids are used; none reports nothing',
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
