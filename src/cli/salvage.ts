import { type Assembled, assembleSpec, type SpecInput } from '../spec/assemble.js';
import { understandCommandLine } from '../spec/command-line.js';
import { readSettings } from '../spec/environment.js';
import { LIMITS } from '../spec/options/limits.js';
import { OPTIONS, type Option, type OptionName } from '../spec/options.js';
import type { Given } from '../spec/resolve.js';
import { failsOpen } from './failure-policy.js';

/**
 * `--failure open`: what runs where no box can be made, because an option, a config file or this host is at fault. The
 * job, and of what was asked for it only what needs neither the broker nor any file: limits that can be read.
 */

export interface Salvaged {
  readonly assembled: Extract<Assembled, { kind: 'run' }>;
  /** Limits that hold all the same, by the names of their options. */
  readonly limits: readonly OptionName[];
}

/** None of the site's files is read: they may be what is wrong, and what they lock is not known then. */
const NO_BOX = '--uri=none --config=none --timeout=0 --stdoutlimit=0 --cgroup=off --nowarn'.split(' ');
const KEPT_LIMITS: readonly OptionName[] = (Object.keys(LIMITS) as (keyof typeof LIMITS)[]).filter(
  (name) => name !== 'cgroup' && name !== 'enforce',
);
/** How the job is started and ended. */
const KEPT: readonly OptionName[] = ['argv0', 'reraise', 'linger', 'stop-signal', 'grace', 'report', 'debug'];

/**
 * @param keep whether limits are tried, too: one of them may be what this host cannot hold
 * @returns undefined where the job is not to run, or where nobody can tell at which word it begins
 */
export function salvage(input: Omit<SpecInput, 'deadline'>, keep: 'limits' | 'nothing'): Salvaged | undefined {
  const { argv, settings } = input;
  const { given, commandIndex } = understandCommandLine(argv);
  if (commandIndex >= argv.length || !failsOpen(argv.slice(1, commandIndex), settings)) return undefined;
  const readable = [...readSettings(settings).given, ...given].filter(isReadable);
  const limits = keep === 'limits' ? KEPT_LIMITS.filter((name) => readable.some((item) => item.name === name)) : [];
  const words = readable
    .filter(({ name }) => limits.includes(name) || KEPT.includes(name))
    .map(({ name, text }) => `--${name}=${text}`);
  try {
    const assembled = assembleSpec({
      ...input,
      argv: [argv[0] ?? 'proc_box', ...NO_BOX, ...words, '--', ...argv.slice(commandIndex)],
      settings: [],
      locks: 'ignored',
      deadline: { scheduler: 'none', remainingMs: null },
    });
    if (assembled.kind !== 'run') return undefined;
    return { assembled: { ...assembled, spec: { ...assembled.spec, commandIndex } }, limits };
  } catch (error) {
    // Two limits that contradict each other.
    if (keep === 'limits') return salvage(input, 'nothing');
    throw error;
  }
}

function isReadable({ name, text }: Given): boolean {
  try {
    (OPTIONS[name] as Option).parse(text);
    return true;
  } catch {
    return false; // it may be why there is no box
  }
}
