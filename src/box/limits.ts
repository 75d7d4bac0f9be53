import type { KeeperEvent, Rlimit, RlimitName } from 'cgroup-utils-native';
import { SpecError } from '../errors.js';
import type { Enforcement, LimitStatus } from '../model/sample.js';
import type { LimitUnit } from '../options/amounts.js';
import { RLIMITS } from '../options/rlimits.js';
import type { BoxSpec, RlimitRequest } from '../options/spec.js';
import type { LimitRow } from '../options/table/limit.js';
import { didYouMean, quote } from '../options/words.js';

/** Every limit of a box by its name, as `status`, samples and the end report show it. */
export type Limits = Map<string, LimitStatus>;

type StdoutMode = Extract<KeeperEvent, { type: 'hello' }>['stdoutMode'];

const STDOUT_ENFORCEMENT: Readonly<Record<StdoutMode, Enforcement>> = {
  pipe: 'splice',
  file: 'offset',
  terminal: 'none',
  other: 'none',
};

/** The limits that hold when the job starts. */
export function initialLimits(spec: BoxSpec, stdoutMode: StdoutMode): Limits {
  const limits: Limits = new Map();
  limits.set('timeout', timeoutStatus(spec.timeoutMs, spec.timeoutSource));
  limits.set('stdoutlimit', stdoutStatus(spec.stdoutMaxBytes, stdoutMode));
  for (const { name, soft, hard } of spec.rlimits) {
    limits.set(name, {
      value: soft ?? hard ?? 'unlimited',
      ...(hard !== undefined && { hard }),
      ...rlimitUnit(name),
      enforcement: 'rlimit',
    });
  }
  return limits;
}

/** Adds to each limit the source of its value. */
export function withSources(limits: Iterable<[string, LimitStatus]>, { limitSources }: BoxSpec): Limits {
  return new Map(
    [...limits].map(([name, status]) => [name, { source: limitSources[name] ?? 'default', ...status } as LimitStatus]),
  );
}

export function timeoutStatus(limitMs: number, source: NonNullable<LimitStatus['source']>): LimitStatus {
  return { value: limitMs === 0 ? 'unlimited' : limitMs, unit: 'ms', enforcement: 'timer', source };
}

export function stdoutStatus(maxBytes: number, mode: StdoutMode, source?: LimitStatus['source']): LimitStatus {
  const value = maxBytes === 0 ? 'unlimited' : maxBytes;
  return { value, unit: 'bytes', enforcement: STDOUT_ENFORCEMENT[mode], ...(source !== undefined && { source }) };
}

export function rlimitStatus(name: RlimitName, limit: Rlimit, source?: LimitStatus['source']): LimitStatus {
  return {
    value: limit.soft,
    hard: limit.hard,
    ...rlimitUnit(name),
    enforcement: 'rlimit',
    ...(source !== undefined && { source }),
  };
}

/** RLIMIT_CPU as it is now; empty if neither its soft nor its hard limit is set. */
export function cpuLimit(limits: Limits): RlimitRequest[] {
  const { value: soft, hard } = limits.get('cpu') ?? {};
  if (typeof soft !== 'number' && typeof hard !== 'number') return [];
  return [{ name: 'cpu', soft: soft ?? 'unlimited', ...(hard !== undefined && { hard }) } as RlimitRequest];
}

function rlimitUnit(name: RlimitName): { unit: LimitUnit } {
  if (name === 'nice') return { unit: 'nice' };
  if (name === 'rtprio') return { unit: 'priority' };
  const { unit } = RLIMITS[name];
  return { unit: unit === 'microseconds' ? 'usec' : unit };
}

/** Finds the row of the limit that `set_limit` names. @throws SpecError if there is no such limit */
export function rowOf(rows: Readonly<Record<string, LimitRow>>, name: string): LimitRow {
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (row !== undefined) return row;
  const known = [...Object.keys(rows), ...Object.keys(RLIMITS)];
  throw new SpecError(`${quote(name)} is not a limit: expected one of ${known.join(', ')}${didYouMean(name, known)}`);
}
