import { parseRlimits } from '../rlimits.js';
import { parseBoolean } from '../units.js';
import { parseCgroupMode, parseEnforce, parseNear } from '../values.js';
import type { Option } from './option.js';

/** What holds the limits of limits.ts and how strictly, and the limits of each process. */
export const HOLDING = {
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
