import { isSpecError, SpecError } from '../errors.js';
import { assembleSpec, type SpecInput } from '../options/assemble.js';
import type { Files } from '../options/files.js';
import { naming } from '../options/resolve.js';
import type { BoxSpec } from '../options/spec.js';
import { parseCount } from '../options/units.js';
import { isSet, readVerb, type Verb } from '../options/verb-words.js';
import { quote } from '../options/words.js';
import type { YamlLoader } from '../options/yaml-document.js';
import { jobDeadline } from '../scheduler/deadline.js';
import type { Environment } from '../scheduler/identity.js';
import { fallbacks } from '../supervise/fallbacks.js';

/** The words after `proc_box adopt`. */
export interface AdoptOptions {
  readonly pid: number;
  readonly detach: boolean;
  /** Null: stderr, or nowhere with `detach`. */
  readonly logFile: string | null;
  readonly pidFile: string | null;
  /** Words for a box; `adoptSpec` parses them. */
  readonly boxWords: readonly string[];
}

export const ADOPT_HELP = `usage: proc_box adopt --pid <pid> [--detach] [--log-file <path>] [--pid-file <path>] [--via <socket>] [options of a box]
       proc_box adopt --serve <socket> [--log-file <path>]

Boxes a process that runs already, with its descendants: limits, remote commands, wall clock limit and statistics, as for
a job that proc_box has started. Own processes, or any as root. docs/adopt.md tells what is different.

Options:
  --pid <pid>                 the main process of the box
  --detach                    return once the box is made, and supervise in the background
  --log-file <path>           append the log there instead of writing to stderr
  --pid-file <path>           a file with the pid of the supervisor, locked (flock) as long as there is one
  --via <socket>              with --detach: have the supervisor there make the box; without one, as without this option
  --serve <socket>            be a supervisor for many boxes, in the background; prints its pid. SIGTERM: end when they have
  --help                      print this text
The options of a box: "proc_box --help". There is no wall clock limit unless one is asked for, or the scheduler has one.

Exit status:
  with --detach, 0: the process is in its box
  without: that of the process; 128+n where a signal n ended it; 123 where the kernel does not tell; 0 after a signal
  to proc_box, which ends the supervision and not the process
  125: the process is not boxed, and runs as before
`;

const ADOPT: Verb<'pid' | 'log-file' | 'pid-file' | 'via' | 'detach' | 'help'> = {
  name: 'proc_box adopt',
  own: {
    pid: { placeholder: 'pid' },
    'log-file': { placeholder: 'path' },
    'pid-file': { placeholder: 'path' },
    via: { placeholder: 'socket' },
    detach: {},
    help: {},
  },
  ofBox: 'all',
  ends: 'with the words',
};

/** @returns null for `--help`. @throws SpecError */
export function parseAdopt(argv: readonly string[]): AdoptOptions | null {
  const words = readVerb(argv.slice(2), ADOPT);
  const { own, forBox, rest } = words;
  if (rest[0] !== undefined)
    throw new SpecError(`${quote(rest[0])} is no option; usage: proc_box adopt --pid <pid> [options]`);
  if (isSet(words, 'help')) return null;
  const detach = isSet(words, 'detach');
  if (own.has('via') && !detach)
    throw new SpecError('--via goes with --detach only: nobody can wait for the end of the process');
  const pid = own.get('pid');
  if (pid === undefined) throw new SpecError('no process given: expected --pid <pid>; "proc_box adopt --help"');
  return {
    pid: naming('--pid', () => parseCount(pid, 1, 2 ** 22)),
    detach,
    logFile: own.get('log-file') ?? null,
    pidFile: own.get('pid-file') ?? null,
    boxWords: forBox,
  };
}

export interface AdoptInput {
  readonly settings: readonly string[];
  /** `--failure open`, as the front end reads the words. */
  readonly failsOpen: boolean;
  readonly files: Files;
  readonly loadYaml: YamlLoader;
}

export interface AdoptSpec {
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
}

/** @param environment of the process that is adopted. @throws SpecError */
export function adoptSpec(words: readonly string[], environment: Environment, input: AdoptInput): AdoptSpec {
  const known = jobDeadline(environment, Date.now());
  // PBS tells how long a job may take, and this one has begun before.
  const deadline = known.scheduler === 'pbs' ? { ...known, remainingMs: null } : known;
  const { spec, warnings } = assembleOrLess(words, { ...input, deadline });
  // Ten minutes are for a job that somebody has just started.
  return { spec: spec.timeoutSource === 'default' ? { ...spec, timeoutMs: 0 } : spec, warnings };
}

/** What of it can be understood, where the user or the site has said so. */
function assembleOrLess(words: readonly string[], input: AdoptInput & Pick<SpecInput, 'deadline'>): AdoptSpec {
  try {
    return assembleSpec({ ...input, words, command: ['adopted'] });
  } catch (error) {
    if (!isSpecError(error) || !input.failsOpen) throw error;
    const { value: less } = fallbacks({ ...input, words, command: ['adopted'] }, error, null).next();
    if (less === undefined || less.kind === 'none') throw error;
    return { spec: less.spec, warnings: [...less.warnings, `${error.message}; ${less.says} (--failure open)`] };
  }
}

/** The limits of the command line alone, where the box that was asked for cannot be had. @throws `error` where there are none */
export function adoptLimits(
  words: readonly string[],
  environment: Environment,
  input: AdoptInput,
  error: Error,
): AdoptSpec {
  const deadline = jobDeadline(environment, Date.now());
  for (const { spec, warnings, says, kind } of fallbacks(
    { ...input, deadline, words, command: ['adopted'] },
    error,
    null,
  )) {
    if (kind === 'limits') return { spec, warnings: [...warnings, `${error.message}; ${says} (--failure open)`] };
  }
  throw error;
}
