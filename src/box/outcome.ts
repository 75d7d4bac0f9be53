import type { Reason, Requester } from '../model/types.js';
import type { RlimitRequest } from '../options/spec.js';
import type { Lifecycle } from './lifecycle.js';

/** Exit statuses of proc_box itself (docs/exit-status.md). */
export const EXIT = {
  unknown: 123,
  timeout: 124,
  failed: 125,
  notExecutable: 126,
  notFound: 127,
  signalBase: 128,
} as const;

/** How the main process ended (waitpid(2)). Code and signal are both null if an adopted process's parent took its status. */
export interface MainExit {
  readonly code: number | null;
  readonly signal: number | null;
  readonly coreDumped: boolean;
}

export interface Outcome extends MainExit {
  readonly exitStatus: number;
  readonly reason: Reason;
  readonly by: Requester | null;
}

const SIGKILL = 9;
const SIGXCPU = 24;
/**
 * The kernel enforces RLIMIT_CPU by counting ticks, which can run far ahead of the CPU time that a process has really had.
 * We saw it kill after 1.63 s under a limit of 2 s.
 */
const CPU_TICK_ACCURACY = 0.75;

/** Evidence of what sent a SIGKILL. */
export interface Evidence {
  /** The rlimits in force at the end, from the start or from `set_limit`. */
  readonly rlimits: readonly RlimitRequest[];
  /** CPU time of the whole box. */
  readonly cpuUsec: number;
  /** The kernel's counters say that the OOM killer has killed processes of the box. */
  readonly oomKilled: boolean;
  /** A process that ended by itself had passed a memory limit that only sampling holds. */
  readonly memoryPassed: boolean;
}

/** Decides how the box ended. @param main null if it is unknown because the keeper died */
export function decideOutcome(life: Lifecycle, main: MainExit | null, evidence: Evidence): Outcome {
  if (main === null) {
    return { code: null, signal: null, coreDumped: false, exitStatus: EXIT.failed, reason: 'failed', by: null };
  }
  const { reason, by } = life.ending ?? ownReason(life, main, evidence);
  return { ...main, exitStatus: exitStatus(reason, main), reason, by };
}

/** Over the memory limit the job has the status of the SIGKILL, even if it was faster: chance does not decide. */
function exitStatus(reason: Reason, main: MainExit): number {
  if (reason === 'timeout') return EXIT.timeout;
  return reason === 'memory' ? EXIT.signalBase + SIGKILL : jobStatus(main);
}

/** The job's own code, or 128+n; never 0 for an unknown status. */
function jobStatus({ code, signal }: MainExit): number {
  if (code !== null) return code;
  return signal === null ? EXIT.unknown : EXIT.signalBase + signal;
}

function ownReason(
  life: Lifecycle,
  { code, signal }: MainExit,
  { rlimits, cpuUsec, oomKilled, memoryPassed }: Evidence,
): { reason: Reason; by: Requester | null } {
  if (memoryPassed) return { reason: 'memory', by: { via: 'limit' } };
  if (code !== null) return { reason: 'exited', by: null };
  if (oomKilled && (signal === SIGKILL || signal === null)) return { reason: 'oom', by: { via: 'limit' } };
  if (signal === null) return { reason: 'ended', by: null };
  if (life.lastKill !== null && life.lastKill.signal === signal) return { reason: 'killed', by: life.lastKill.by };
  const cpu = rlimits.find(({ name }) => name === 'cpu');
  const hardSec = cpu?.hard;
  const overHard = signal === SIGKILL && typeof hardSec === 'number' && cpuUsec >= hardSec * 1e6 * CPU_TICK_ACCURACY;
  if (cpu !== undefined && (signal === SIGXCPU || overHard)) return { reason: 'cpu', by: { via: 'limit' } };
  return { reason: 'signaled', by: null };
}
