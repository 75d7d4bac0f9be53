import { monotonicMs, Timer } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import { readFile } from '../kernel/files.js';
import type { Logger } from '../log.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { signalWaitMs } from '../scheduler/signalling.js';
import type * as Slurm from './slurm.js';
import type { Subject } from './subject.js';

/** What a box does because it runs in a scheduler's job. */
export interface Scheduled {
  /** Call this after the job has started. */
  started(box: Box): void;
  /**
   * Call this when the main process has ended. If it died of a signal of the scheduler, the wrapper has got that
   * signal, too, when the promise resolves; null means at once.
   * @param ofTerm whether it may have died of SIGTERM
   */
  settled(ofTerm: boolean): Promise<void> | null;
  /** Time that the job has left after the scheduler has asked it to end, ms. */
  graceMs(): number;
  close(): void;
}

export interface ScheduledOptions {
  readonly spec: BoxSpec;
  readonly log: Logger;
  readonly scheduler: JobIdentity['scheduler'];
  readonly subject: Subject;
  /** Control groups of the box. */
  readonly groups: readonly string[];
  readonly loadSlurm: () => typeof Slurm;
}

const NOTHING: Scheduled = {
  started() {},
  settled: () => null,
  graceMs: () => Number.POSITIVE_INFINITY,
  close() {},
};

export function createScheduled({ spec, log, scheduler, subject, groups, loadSlurm }: ScheduledOptions): Scheduled {
  const { environment, adopted, frontPid } = subject;
  if (scheduler === 'pbs') {
    return {
      ...NOTHING,
      // MoM signals one process after another, so the job may die before the keeper and the wrapper get the signal.
      settled: (ofTerm) => (ofTerm ? after(signalWaitMs(environment, readFile)) : null),
      graceMs: countdown(spec, (nowMs) => nowMs + PBS_KILL_AFTER_MS),
    };
  }
  if (scheduler !== 'slurm') return NOTHING;
  let close = () => {};
  return {
    started(box) {
      // Only as root: a user could remove the groups of boxes but not Slurm's around them, which nobody would find
      // then.
      if (groups.length > 0 && process.geteuid?.() === 0)
        new Timer(() => loadSlurm().tidyAfterOthers(log, groups), true).start(TIDY_AFTER_MS);
      // An adopted process gets the scheduler's signals without us.
      const isTop = adopted !== null || environment['SLURM_TASK_PID'] === String(frontPid);
      const follows = spec.timeoutAsked || (spec.timeoutSource === 'scheduler' && spec.timeoutMs > 0);
      if (isTop && !follows) return;
      const { warnOfNoNotice, followJobEnd } = loadSlurm();
      if (!isTop) warnOfNoNotice({ box, log, environment, frontPid });
      if (follows) close = followJobEnd({ box, log, environment, frontPid }, spec.timeoutAsked);
    },
    settled() {
      if (adopted !== null || signalWaitMs(environment, readFile) === 0) return null;
      return loadSlurm().untilStepdRests(environment, frontPid);
    },
    graceMs: countdown(spec, (nowMs) => loadSlurm().killAtMs(environment, nowMs)),
    close: () => close(),
  };
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => new Timer(resolve).start(ms));
}

/**
 * Schedulers repeat their TERM, so only the first one starts the countdown.
 * @param killAt given the time of a TERM, returns when the scheduler kills the job; monotonic ms
 */
function countdown({ uris, flushMs }: BoxSpec, killAt: (nowMs: number) => number): () => number {
  let killAtMs: number | undefined;
  return () => {
    killAtMs ??= killAt(monotonicMs());
    const waitMs = killAtMs - monotonicMs();
    const reserveMs = (uris.length > 0 ? flushMs : 0) + RESERVE_MS;
    return Math.max(0, waitMs - Math.min(reserveMs, waitMs * RESERVE_SHARE));
  };
}

/**
 * PBS kills about 10 s after qdel, 9 s after the walltime. A queue may have another `kill_delay`, which jobs cannot
 * see.
 */
const PBS_KILL_AFTER_MS = 9_000;

/** A box must run this long before it tidies up, so that the steps of a job with hundreds of short ones do not. */
const TIDY_AFTER_MS = 1_000;
/** Time between the end of the grace period and the scheduler's KILL, for the last sample and the report. */
const RESERVE_MS = 500;
const RESERVE_SHARE = 0.4;
