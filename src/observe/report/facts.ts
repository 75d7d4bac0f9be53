import { amountAt, objectAt } from '../model/fields.js';
import type { EndReport, ObservedIdentity, ObservedLimit, ObservedSample } from '../model/observed.js';

/** What the report needs to know of one box: from its end report, or from a sample while it runs. Null means unknown. */
export interface BoxFacts {
  readonly identity: ObservedIdentity;
  /** False: the box still runs, or its end has not been told. */
  readonly ended: boolean;
  readonly state: string;
  /** Of the end, or of the sample; ms since the epoch, by the clock of the box. */
  readonly atMs: number;
  /** `running` while there is no end. */
  readonly reason: string;
  readonly exitStatus: number | null;
  readonly signal: string | null;
  readonly why: string | null;
  readonly elapsedMs: number;
  readonly suspendedMs: number | null;
  readonly cpuSec: number;
  /** Cores that the box may use: `cpus`, or else the length of `cpuset`. */
  readonly cores: number | null;
  /** Resident memory at its highest, without page cache. */
  readonly memoryPeakBytes: number;
  /** What counts against the limit, page cache and kernel memory included. */
  readonly chargedPeakBytes: number;
  readonly memoryLimitBytes: number | null;
  /** The time that counts against the time limit, and the limit. */
  readonly timeUsedMs: number;
  readonly timeLimitMs: number | null;
  readonly oomKills: number | null;
  readonly throttledMs: number | null;
  /** Time in which some task waited for the resource, ms. */
  readonly stalledMs: Readonly<Record<'cpu' | 'memory' | 'io', number | null>>;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly stdoutBytes: number;
  readonly processesPeak: number | null;
  readonly threadsPeak: number | null;
  readonly forksRefused: number | null;
  readonly limits: Readonly<Record<string, UsedLimit>>;
  readonly dropped: number;
}

export interface UsedLimit extends ObservedLimit {
  /** In the limit's unit: the total or the peak. */
  readonly used: number | null;
}

export function factsOfEnd(report: EndReport): BoxFacts {
  const { limits, stalledUsec } = report;
  const time = limits['timeout'];
  const ms = (usec: number | null) => (usec === null ? null : usec / 1000);
  return {
    identity: report.identity,
    ended: true,
    state: 'ended',
    atMs: report.atMs,
    reason: report.reason,
    exitStatus: report.exitStatus,
    signal: report.signal,
    why: report.why,
    elapsedMs: report.elapsedMs,
    suspendedMs: report.suspendedMs,
    cpuSec: report.userSec + report.systemSec,
    cores: coresOf(limits),
    memoryPeakBytes: report.rssPeakBytes,
    chargedPeakBytes: report.memoryPeakBytes,
    memoryLimitBytes: amountAt(limits['memory']?.value),
    timeUsedMs: time?.used ?? report.elapsedMs - report.suspendedMs,
    timeLimitMs: amountAt(time?.value),
    oomKills: report.oomKills,
    throttledMs: report.throttledMs,
    stalledMs: { cpu: ms(stalledUsec.cpu), memory: ms(stalledUsec.memory), io: ms(stalledUsec.io) },
    readBytes: report.readBytes,
    writeBytes: report.writeBytes,
    stdoutBytes: report.stdoutBytes,
    processesPeak: report.processesPeak,
    threadsPeak: report.threadsPeak,
    forksRefused: report.forksRefused,
    limits,
    dropped: report.dropped,
  };
}

/** @param wallMs since the start, with suspension, where an answer to `status` tells it */
export function factsOfSample(sample: ObservedSample, wallMs: number | null = null): BoxFacts {
  const { pressure, limits } = sample;
  const own = sample.pressureScope === 'cgroup' ? pressure : { cpu: null, memory: null, io: null };
  const ms = (of: { someTotalUsec: number } | null) => (of === null ? null : of.someTotalUsec / 1000);
  const elapsedMs = wallMs ?? sample.elapsedMs ?? 0;
  return {
    identity: sample.identity,
    ended: false,
    state: sample.state,
    atMs: sample.atMs,
    reason: 'running',
    exitStatus: null,
    signal: null,
    why: null,
    elapsedMs,
    suspendedMs: null,
    cpuSec: sample.userSec + sample.systemSec,
    cores: coresOf(limits),
    memoryPeakBytes: sample.rssPeakBytes,
    chargedPeakBytes: sample.memoryPeakBytes,
    memoryLimitBytes: sample.memoryLimitBytes,
    timeUsedMs: sample.elapsedMs ?? elapsedMs,
    timeLimitMs: sample.timeLimitMs,
    oomKills: sample.oomKills,
    throttledMs: sample.throttledMs,
    stalledMs: { cpu: ms(own.cpu), memory: ms(own.memory), io: ms(own.io) },
    readBytes: sample.readBytes,
    writeBytes: sample.writeBytes,
    stdoutBytes: sample.stdoutBytes,
    processesPeak: sample.processes,
    threadsPeak: sample.threads,
    forksRefused: null,
    limits: usedLimits(sample),
    dropped: sample.dropped,
  };
}

function usedLimits(sample: ObservedSample): BoxFacts['limits'] {
  const used: Readonly<Record<string, number | null>> = {
    timeout: sample.elapsedMs,
    memory: sample.rssPeakBytes,
    stdoutlimit: sample.stdoutBytes,
  };
  const limits: Record<string, UsedLimit> = Object.create(null);
  for (const [name, limit] of Object.entries(sample.limits)) limits[name] = { ...limit, used: used[name] ?? null };
  return limits;
}

/** @returns null if nothing limits the box's use of CPUs */
export function coresOf(limits: Readonly<Record<string, ObservedLimit>>): number | null {
  const cpus = amountAt(objectAt(limits['cpus'])['value']);
  if (cpus !== null && cpus > 0) return cpus;
  const list = objectAt(limits['cpuset'])['value'];
  return typeof list === 'string' ? listLength(list) : null;
}

/** Length of a list as in cpuset(7): `0-3,8`. @returns null for anything else */
function listLength(text: string): number | null {
  let length = 0;
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? [];
    if (first === undefined) return null;
    length += Math.max(0, Number(last) - Number(first) + 1);
  }
  return length > 0 ? length : null;
}
