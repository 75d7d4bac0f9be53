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

/** The parsed words after `proc_box adopt`. */
export interface AdoptOptions {
  readonly pid: number;
  readonly detach: boolean;
  /** Null: the log goes to stderr, or nowhere with `detach`. */
  readonly logFile: string | null;
  readonly pidFile: string | null;
  /** Options of the box, which `adoptSpec` parses. */
  readonly boxWords: readonly string[];
}

export const ADOPT_HELP = `usage: proc_box adopt --pid <pid> [--detach] [--log-file <path>] [--pid-file <path>] [options of a box]

Puts a running process and its descendants into a box: limits, remote commands, wall clock limit and statistics work as for
a job that proc_box starts. Users can box their own processes, root any. With an agent (--agent) no Node is started. The
differences are in docs/adopt.md.

Options:
  --pid <pid>                 the main process of the box
  --detach                    return once the box is made, and supervise it in the background
  --log-file <path>           append the log to this file instead of writing it to stderr
  --pid-file <path>           write the pid of the supervisor to this file, and lock it (flock) while the supervisor runs
  --help                      print this text
For the options of a box, see "proc_box --help". There is no wall clock limit unless you or the scheduler set one.

Exit status:
  with --detach: 0 if the process is in its box
  without: the status of the process; 128+n if signal n ended it; 123 if the kernel does not tell; 0 after a signal to
  proc_box, which ends the supervision but not the process
  125: the process is not in a box, and runs as before
`;

const ADOPT: Verb<'pid' | 'log-file' | 'pid-file' | 'detach' | 'help'> = {
  name: 'proc_box adopt',
  own: {
    pid: { placeholder: 'pid' },
    'log-file': { placeholder: 'path' },
    'pid-file': { placeholder: 'path' },
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
    throw new SpecError(`${quote(rest[0])} is not an option; usage: proc_box adopt --pid <pid> [options]`);
  if (isSet(words, 'help')) return null;
  const detach = isSet(words, 'detach');
  const pid = own.get('pid');
  if (pid === undefined) throw new SpecError('no process given: expected --pid <pid>; see "proc_box adopt --help"');
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
  /** Options that do not count. @default all do */
  readonly without?: NonNullable<SpecInput['without']>;
}

export interface AdoptSpec {
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
}

/** @param environment of the process to adopt. @throws SpecError */
export function adoptSpec(words: readonly string[], environment: Environment, input: AdoptInput): AdoptSpec {
  const known = jobDeadline(environment, Date.now());
  // PBS tells the whole length of a job, and this one has already run for an unknown part of it.
  const deadline = known.scheduler === 'pbs' ? { ...known, remainingMs: null } : known;
  const { spec, warnings } = assembleOrLess(words, { ...input, deadline });
  // The default of ten minutes is for a job that starts now.
  return { spec: spec.timeoutSource === 'default' ? { ...spec, timeoutMs: 0 } : spec, warnings };
}

/** With `--failure open`, falls back to the options that can be understood. */
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

/**
 * A box with only the limits of the command line, because the full one cannot be made.
 * @throws `error` if there are none
 */
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
