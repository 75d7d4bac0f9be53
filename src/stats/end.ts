import type { Unkillable } from 'cgroup-utils-native';
import type { PressureOf } from '../kernel/pressure.js';
import type { Exited, StalledUsec, TotalUsage, UsedLimit } from '../model/event.js';
import type { LimitTable, Pressure, Sample } from '../model/sample.js';
import type { Reason, Requester } from '../model/types.js';
import { toBy } from './audit.js';

/** How the box ended. */
export interface Ending {
  readonly exitStatus: number;
  readonly code: number | null;
  /** Its name with `SIG`. */
  readonly signal: string | null;
  readonly coreDumped: boolean;
  readonly reason: Reason;
  readonly by: Requester | null;
  readonly why: string | null;
  readonly elapsedMs: number;
  readonly suspendedMs: number;
  readonly refusedCommands: number;
  /** Processes that SIGKILL has not ended. */
  readonly left: readonly Unkillable[];
}

/** Makes the end report from the final sample and the outcome. */
export function exitedEvent(final: Sample, ending: Ending): Exited {
  const usage = totalUsage(final, ending.elapsedMs);
  return {
    event: 'exited',
    exit_status: ending.exitStatus,
    code: ending.code,
    signal: ending.signal,
    core_dumped: ending.coreDumped,
    reason: ending.reason,
    by: ending.by === null ? null : toBy(ending.by),
    why: ending.why,
    elapsed_ms: Math.round(ending.elapsedMs),
    suspended_ms: Math.round(ending.suspendedMs),
    usage,
    limits: usedLimits(final.Limits, usage, final.Timer.elapsed_ms),
    refused_commands: ending.refusedCommands,
    left: ending.left.map(({ pid, name, reason }) => ({ pid, name, reason })),
    dropped: final.Dropped,
  };
}

function totalUsage(final: Sample, elapsedMs: number): TotalUsage {
  const { user, system } = final.CPUTimes;
  return {
    user_sec: user,
    system_sec: system,
    cpu_percent: elapsedMs > 0 ? Math.round(((user + system) / elapsedMs) * 1e6) / 10 : 0,
    memory_peak_bytes: final.MemoryPeak.rss,
    cgroup_memory_peak_bytes: final.MemoryPeak.cgroup,
    cgroup_memory_peak_exact: final.MemoryPeak.exact,
    process_memory_peak_bytes: final.MemoryPeak.process_rss,
    processes_peak: final.Counts.processes_peak,
    threads_peak: final.Counts.threads_peak,
    tasks_peak: final.Counts.tasks_peak,
    forks_refused: final.Counts.forks_refused,
    oom: final.OOM,
    throttling: final.Throttling,
    stalled_usec: stalled(final.Pressure),
    ...final.IOCounters,
    stdout_bytes: final.StdoutBytes,
  };
}

/** The host's pressure says nothing about the box, so it is left out. */
function stalled(pressure: Pressure | null): StalledUsec | null {
  if (pressure === null || pressure.scope === 'host') return null;
  const of = (one: PressureOf | null) => one && { some: one.some.total_usec, full: one.full?.total_usec ?? null };
  return { cpu: of(pressure.cpu), memory: of(pressure.memory), io: of(pressure.io) };
}

/** `used` is null for rlimits: they count per process or per user, and not the sums of the tree. */
function usedLimits(limits: LimitTable, usage: TotalUsage, timerMs: number): Readonly<Record<string, UsedLimit>> {
  const used: Readonly<Record<string, number>> = {
    timeout: Math.round(timerMs),
    stdoutlimit: usage.stdout_bytes,
    pids: usage.tasks_peak ?? usage.threads_peak,
    cpus: usage.cpu_percent / 100,
    'cpu-time': Math.round((usage.user_sec + usage.system_sec) * 1000),
  };
  const usedOf = (name: string, enforcement: UsedLimit['enforcement']) => {
    if (enforcement === 'rlimit') return null;
    // The watchdog limits the memory of processes, a cgroup the memory that it counts itself.
    if (name === 'memory' && enforcement === 'watchdog') return usage.memory_peak_bytes;
    if (name === 'memory' || name === 'memory-high') return usage.cgroup_memory_peak_bytes ?? usage.memory_peak_bytes;
    return used[name] ?? null;
  };
  return Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [name, { ...limit, used: usedOf(name, limit.enforcement) }]),
  );
}
