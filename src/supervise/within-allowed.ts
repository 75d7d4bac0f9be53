import { prlimit, type StdoutMode } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import type { BoxSpec, RlimitRequest } from '../options/spec.js';

interface Asked {
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
}

/**
 * Fits limits that no control group holds to what this host and user allow. With an explicit `--enforce best-effort` it
 * cuts rlimits to what is allowed. It also warns of an explicit `--stdoutlimit` for output that cannot be counted.
 * @param pid a process with the limits that the job would inherit
 * @throws EnvironmentError with `--enforce strict`, for output that cannot be counted
 */
export function withinAllowed({ spec, warnings }: Asked, pid: number, stdoutMode: StdoutMode): Asked {
  const told = [...warnings];
  const uncounted = uncountedStdout(spec, stdoutMode);
  if (uncounted !== null && spec.enforce === 'strict') throw new EnvironmentError(`${uncounted} (--enforce strict)`);
  if (uncounted !== null) told.push(uncounted);
  if (!spec.enforceAsked || spec.enforce === 'strict' || spec.rlimits.length === 0) return { spec, warnings: told };
  const rlimits = spec.rlimits.map((request) => {
    const { allowed, warning } = cutRlimit(request, pid);
    if (warning !== null) told.push(warning);
    return allowed;
  });
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
export function cutRlimit(request: RlimitRequest, pid: number): { allowed: RlimitRequest; warning: string | null } {
  const { name, hard } = request;
  const now = prlimit(pid, name);
  const wantedHard = hard ?? now.hard;
  const highest = isAbove(wantedHard, now.hard) && !mayRaise(pid, name, wantedHard, now.hard) ? now.hard : wantedHard;
  return cutTo(request, highest);
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
function mayRaise(pid: number, name: RlimitRequest['name'], hard: Value, back: Value): boolean {
  try {
    prlimit(pid, name, { hard });
  } catch {
    return false;
  }
  prlimit(pid, name, { hard: back });
  return true;
}
