import { isSpecError } from '../errors.js';
import { assembleSpec, type SpecInput } from '../options/assemble.js';
import { lacksValue, lenientCommandLine, parseCommandLine, parses } from '../options/command-line.js';
import { readSettings } from '../options/environment.js';
import type { Given } from '../options/resolve.js';
import type { BoxSpec } from '../options/spec.js';
import { GROUPS } from '../options/table.js';

/**
 * With `--failure open`, what a job runs with if the requested box cannot be made. One wrong word must not cost the job the
 * limits that other words set, nor lift what the site has locked.
 */
export interface Fallback {
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
  /** Tells the user what the job runs with. */
  readonly says: string;
  /** A box from the words that make sense, only the limits of the command line, or the bare job. */
  readonly kind: 'box' | 'limits' | 'none';
}

export type FallbackInput = Omit<SpecInput, 'locks'>;

/** No files, no broker and no default limits: a job must not end because its box is not the requested one. */
const NO_BROKER = '--uri none --config none --timeout 0 --stdoutlimit 0 --nowarn'.split(' ');
/** Options that work without a broker and that the site's file, which nobody could read, cannot have locked. */
const LIMITS_ONLY: ReadonlySet<string> = new Set([...Object.keys(GROUPS.Limits), ...Object.keys(GROUPS.Job)]);

/**
 * Whether the words before the command tell where it begins. They do not if one is an unknown option, which may or may not
 * take a value, or if an option lacks its value and so swallows the next option.
 */
export function areTold(words: readonly string[]): boolean {
  try {
    const { given } = parseCommandLine(words);
    const isApart = ({ origin, text }: Given) => words.some((word, at) => word === origin && words[at + 1] === text);
    return !given.some((item) => isApart(item) && lacksValue(item));
  } catch {
    return false;
  }
}

/**
 * Yields the fallbacks in order, from the most complete box down to the bare job.
 * @param error why the requested box cannot be made. @param asked its spec, or null if the words made no sense
 */
export function* fallbacks(input: FallbackInput, error: Error, asked: BoxSpec | null): Generator<Fallback> {
  if (asked !== null) yield* bestEffort({ spec: asked, warnings: [] }, error);
  const { given } = lenientCommandLine(input.words);
  if (asked === null) {
    const good = understood(input, [...readSettings(input.settings).given, ...given]);
    if (good !== undefined) {
      yield { ...ignoring(good, error), says: 'the job runs in a box without that', kind: 'box' };
      yield* bestEffort(good, error);
    }
    const limits = given.filter((item) => LIMITS_ONLY.has(item.name) && parses(item)).map(word);
    const limited = attempt({ ...input, settings: [], locks: 'ignored' }, [
      ...NO_BROKER,
      ...limits,
      '--enforce=best-effort',
    ]);
    if (limited !== undefined && limits.length > 0) {
      yield {
        ...limited,
        says: "the job runs with its command line's limits and nothing else of a box",
        kind: 'limits',
      };
    }
  }
  const names = given.filter(({ name }) => name === 'argv0' || name === 'reraise').filter(parses);
  const bare = attempt({ ...input, settings: [], locks: 'ignored' }, [
    ...NO_BROKER,
    '--cgroup=off',
    ...names.map(word),
  ]);
  if (bare !== undefined) yield { ...bare, says: 'the job runs without a box', kind: 'none' };
}

type Attempt = Pick<Fallback, 'spec' | 'warnings'>;

function* bestEffort({ spec, warnings }: Attempt, error: Error): Generator<Fallback> {
  if (spec.enforce !== 'strict') return;
  const weaker = ignoring({ spec: { ...spec, enforce: 'best-effort' }, warnings }, error);
  yield { ...weaker, says: 'the job runs in a box with those of its limits that can be held', kind: 'box' };
}

/** The box publishes the reason in an event. */
function ignoring({ spec, warnings }: Attempt, error: Error): Attempt {
  return { spec: { ...spec, ignored: error.message }, warnings };
}

/** Bounds the search for wrong words, which tries the options one by one. */
const ITEMS_MAX = 500;

/** A box from all the options, or else from those that work together with the ones before them. */
function understood(input: FallbackInput, given: readonly Given[]): Attempt | undefined {
  const make = (items: readonly Given[]) =>
    attempt({ ...input, settings: items.flatMap(setting) }, items.flatMap(flag));
  const parsed = given.filter((item) => item.name !== 'help' && item.name !== 'version' && parses(item));
  const all = make(parsed);
  if (all !== undefined) return all;
  let good = make([]);
  if (good === undefined) return undefined; // the site's own file is wrong
  let kept: readonly Given[] = [];
  let late: readonly Given[] = [];
  const keep = (items: readonly Given[]) => {
    const more = make([...kept, ...items]);
    if (more === undefined) return false;
    kept = [...kept, ...items];
    good = more;
    return true;
  };
  for (const item of parsed.slice(0, ITEMS_MAX)) if (!keep([item])) late = [...late, item];
  // Some options need another one that comes later, as a certificate needs its key.
  for (const item of late) late.some((other) => other !== item && !kept.includes(item) && keep([item, other]));
  return good;
}

const flag = (item: Given) => (item.source === 'command line' ? [word(item)] : []);
const setting = ({ origin, text, source }: Given) => (source === 'environment' ? [`${origin}=${text}`] : []);

function word({ name, text }: Given): string {
  return `--${name}=${text}`;
}

function attempt(input: SpecInput, words: readonly string[]): Attempt | undefined {
  try {
    return assembleSpec({ ...input, words });
  } catch (error) {
    if (!isSpecError(error)) throw error;
    return undefined;
  }
}
