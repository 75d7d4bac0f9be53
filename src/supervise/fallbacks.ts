import { isSpecError } from '../errors.js';
import { assembleSpec, type SpecInput } from '../options/assemble.js';
import { lacksValue, lenientCommandLine, parseCommandLine, parses } from '../options/command-line.js';
import { readSettings } from '../options/environment.js';
import type { Given } from '../options/resolve.js';
import type { BoxSpec } from '../options/spec.js';
import { GROUPS } from '../options/table.js';

/**
 * `--failure open`: what a job runs with where the box that was asked for cannot be made. One wrong word must not cost it the
 * limits that other words set, nor what the site has fixed.
 */
export interface Fallback {
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
  /** For the user: what the job runs with. */
  readonly says: string;
  /** A box of what was understood, the limits of the command line alone, or nothing but the job. */
  readonly kind: 'box' | 'limits' | 'none';
}

export type FallbackInput = Omit<SpecInput, 'locks'>;

/** Reads no file, has no broker, and limits nothing by default: a job that is not boxed as asked is not ended for that. */
const NO_BROKER = '--uri none --config none --timeout 0 --stdoutlimit 0 --nowarn'.split(' ');
/** What a box does without a broker and without the site's file, which may fix everything else. */
const LIMITS_ONLY: ReadonlySet<string> = new Set([...Object.keys(GROUPS.Limits), ...Object.keys(GROUPS.Job)]);

/**
 * Whether the words before the command tell where it begins. They do not after an unknown option, which may have a value, or
 * after an option without its value, which takes the next option for it.
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
 * From the most that can be had down to nothing but the job.
 * @param error why the box that was asked for cannot be made. @param asked the spec, where the words were understood
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

/** The box tells it by an event. */
function ignoring({ spec, warnings }: Attempt, error: Error): Attempt {
  return { spec: { ...spec, ignored: error.message }, warnings };
}

/** One by one where some are wrong: nobody has more good words than this. */
const ITEMS_MAX = 500;

/** The box of those that count: all of them, else each that can be had with what was understood before it. */
function understood(input: FallbackInput, given: readonly Given[]): Attempt | undefined {
  const make = (items: readonly Given[]) =>
    attempt({ ...input, settings: items.flatMap(setting) }, items.flatMap(flag));
  const parsed = given.filter((item) => item.name !== 'help' && item.name !== 'version' && parses(item));
  const all = make(parsed);
  if (all !== undefined) return all;
  let good = make([]);
  if (good === undefined) return undefined; // the site's own file is what is wrong
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
  // A certificate needs its key, which comes after it.
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
