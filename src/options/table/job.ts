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
    help: 'signal that asks the job to end; by default the command stop sends QUIT, while limits and the end of the main process send TERM',
    parse: parseSignal,
  },
  'warn-signal': {
    type: 'signal',
    placeholder: 'signal[@time]',
    default: '',
    help: "send this signal to the job's process group before its time limit, by default 60 s before, as sbatch --signal does: USR1@5m",
    parse: parseWarnSignal,
  },
  grace: {
    type: 'duration',
    placeholder: 'duration',
    default: '10s',
    help: 'time between the stop signal and SIGKILL',
    parse: parseDuration,
  },
  linger: {
    type: 'boolean',
    default: 'false',
    help: 'wait for processes that the main process leaves behind instead of stopping them',
    parse: parseBoolean,
  },
  argv0: {
    type: 'text',
    placeholder: 'name',
    default: '',
    help: 'argv[0] of the job, instead of the command; for a login shell, begin it with -',
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
    help: 'if no box can be made: run the job without one, or do not start it (125); after an unknown option, open needs -- before the command',
    parse: parseFailure,
    only: 'not in a file',
  },
  refuse: {
    type: 'text',
    placeholder: 'reason',
    default: '',
    help: "for programs that box jobs on a site's behalf: why they could not understand the job's options; counts as a wrong option (--failure)",
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
