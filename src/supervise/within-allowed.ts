import { type Keeper, prlimit, type Rlimit, type StdoutMode } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import type { BoxSpec, RlimitRequest } from '../options/spec.js';

interface Asked {
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
}

/** prlimit(2) on the process whose limits the job would inherit: changes a limit, or with `{}` only reads it. */
interface Trial {
  readonly name: RlimitRequest['name'];
  readonly limit: Partial<Rlimit>;
}

/** Yields what to try. The answer is the limit in force, or null if the kernel refuses it. */
export type Trials<T> = Generator<Trial, T, Rlimit | null>;

/** Tries on a process. @throws Error if it has ended */
export function tryOn<T>(pid: number, trials: Trials<T>): T {
  let step = trials.next();
  while (step.done !== true) {
    const { name, limit } = step.value;
    step = trials.next(isRead(limit) ? prlimit(pid, name) : set(pid, name, limit));
  }
  return step.value;
}

/** Tries on a keeper that waits for the start. Rejects if the keeper has gone. */
export async function tryInKeeper<T>(keeper: Pick<Keeper, 'rlimit'>, trials: Trials<T>): Promise<T> {
  let step = trials.next();
  while (step.done !== true) {
    const { changed, limit } = await keeper.rlimit(step.value.name, step.value.limit);
    step = trials.next(changed > 0 ? limit : null);
  }
  return step.value;
}

function isRead({ soft, hard }: Partial<Rlimit>): boolean {
  return soft === undefined && hard === undefined;
}

function set(pid: number, name: Trial['name'], limit: Partial<Rlimit>): Rlimit | null {
  try {
    return prlimit(pid, name, limit);
  } catch {
    return null;
  }
}

/**
 * Fits limits that no control group holds to what this host and user allow. With an explicit `--enforce best-effort` it
 * cuts rlimits to what is allowed. It also warns of an explicit `--stdoutlimit` for output that cannot be counted.
 * @throws EnvironmentError with `--enforce strict`, for output that cannot be counted
 */
export function* withinAllowed({ spec, warnings }: Asked, stdoutMode: StdoutMode): Trials<Asked> {
  const told = [...warnings];
  const uncounted = uncountedStdout(spec, stdoutMode);
  if (uncounted !== null && spec.enforce === 'strict') throw new EnvironmentError(`${uncounted} (--enforce strict)`);
  if (uncounted !== null) told.push(uncounted);
  if (!spec.enforceAsked || spec.enforce === 'strict' || spec.rlimits.length === 0) return { spec, warnings: told };
  const rlimits: RlimitRequest[] = [];
  for (const request of spec.rlimits) {
    const { allowed, warning } = yield* cutRlimit(request);
    if (warning !== null) told.push(warning);
    rlimits.push(allowed);
  }
  return { spec: { ...spec, rlimits }, warnings: told };
}

/**
 * Only output to a pipe or a file is counted: docs/design.md. A limit from the site's config file is no reason to warn.
 */
function uncountedStdout({ stdoutMaxBytes, limitSources }: BoxSpec, mode: StdoutMode): string | null {
  const { stdoutlimit: source } = limitSources;
  if (mode === 'pipe' || mode === 'file' || stdoutMaxBytes === 0) return null;
  if (source !== 'command line' && source !== 'environment') return null;
  const what = mode === 'terminal' ? 'a terminal' : 'a device';
  return `--stdoutlimit has no effect: stdout is ${what}, and output to it is not counted; redirect it to a file or a pipe`;
}

/** Asks the kernel what may be raised, because capabilities do not tell (user namespaces, fs.nr_open). */
export function* cutRlimit(request: RlimitRequest): Trials<{ allowed: RlimitRequest; warning: string | null }> {
  const { name, hard } = request;
  const now = yield { name, limit: {} };
  if (now === null) return { allowed: request, warning: null }; // then its start fails and says why
  const wantedHard = hard ?? now.hard;
  const isRaised = isAbove(wantedHard, now.hard);
  return cutTo(request, isRaised && !(yield* mayRaise(name, wantedHard, now.hard)) ? now.hard : wantedHard);
}

/** @param highest hard limit that this host and user allow */
export function cutTo(request: RlimitRequest, highest: Value): { allowed: RlimitRequest; warning: string | null } {
  const { name, soft, hard } = request;
  const cutHard = hard !== undefined && isAbove(hard, highest) ? highest : hard;
  const cutSoft = soft !== undefined && isAbove(soft, highest) ? highest : soft;
  const allowed = {
    name,
    ...(cutSoft !== undefined && { soft: cutSoft }),
    ...(cutHard !== undefined && { hard: cutHard }),
  };
  if (cutHard === hard && cutSoft === soft) return { allowed: request, warning: null };
  const asked = `${soft ?? ''}:${hard ?? ''}`;
  return {
    allowed,
    warning: `--rlimit ${name}=${asked} is cut to ${cutSoft ?? ''}:${cutHard ?? ''}: raising a hard limit above ${highest} needs CAP_SYS_RESOURCE (--enforce best-effort)`,
  };
}

type Value = NonNullable<RlimitRequest['hard']>;

function isAbove(a: Value, b: Value): boolean {
  return b !== 'unlimited' && (a === 'unlimited' || a > b);
}

/** Tries it: raises the hard limit for a moment and lowers it again, which is always allowed. */
function* mayRaise(name: RlimitRequest['name'], hard: Value, back: Value): Trials<boolean> {
  if ((yield { name, limit: { hard } }) === null) return false;
  yield { name, limit: { hard: back } };
  return true;
}
