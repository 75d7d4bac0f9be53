import { parseSignal } from '../signals.js';
import { parseBoolean, parseDuration } from '../units.js';
import { parseFailure, parseWarnSignal } from '../values.js';
import type { Option } from './option.js';

/** How the job is started and ended. */
export const JOB = {
  'stop-signal': {
    type: 'signal',
    placeholder: 'signal',
    default: 'QUIT',
    help: 'signal that asks the job to end; the default is QUIT for the command stop alone: limits, and what the main process leaves behind, get TERM',
    parse: parseSignal,
  },
  'warn-signal': {
    type: 'signal',
    placeholder: 'signal[@time]',
    default: '',
    help: "signal to the job's process group so long before its time limit (60 s), as sbatch --signal: USR1@5m",
    parse: parseWarnSignal,
  },
  grace: {
    type: 'duration',
    placeholder: 'duration',
    default: '10s',
    help: 'from the stop signal to SIGKILL',
    parse: parseDuration,
  },
  linger: {
    type: 'boolean',
    default: 'false',
    help: 'wait for what the main process leaves behind instead of stopping it',
    parse: parseBoolean,
  },
  argv0: {
    type: 'text',
    placeholder: 'name',
    default: '',
    help: "the job's own name, argv[0], instead of the command: a login shell's begins with -",
    parse: (text: string) => text,
  },
  reraise: {
    type: 'boolean',
    default: 'false',
    help: 'die of the signal that the job died of, instead of exit status 128+n',
    parse: parseBoolean,
  },
  failure: {
    type: 'text',
    placeholder: 'open|closed',
    default: 'closed',
    help: 'where no box can be made: run the job without one, or do not start it (125); open needs -- before a command after an unknown option',
    parse: parseFailure,
    only: 'not in a file',
  },
  refuse: {
    type: 'text',
    placeholder: 'reason',
    default: '',
    help: "for what boxes jobs on a site's behalf: words of the job that it could not understand count as a wrong option here (--failure)",
    parse: (text: string) => text,
    only: 'command line',
  },
  runanyway: {
    type: 'boolean',
    default: 'false',
    help: 'accepted, no effect: the job always runs',
    parse: parseBoolean,
  },
} as const satisfies Readonly<Record<string, Option>>;
