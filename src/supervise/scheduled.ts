import { monotonicMs, Timer } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import { readFile } from '../kernel/files.js';
import type { Logger } from '../log.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { signalWaitMs } from '../scheduler/signalling.js';
import type * as Slurm from './slurm.js';
import type { Subject } from './subject.js';

/** What the box does for being in a scheduler's job. Loaded only where there is something to do. */
export interface Scheduled {
  /** After the job has started. */
  started(box: Box): void;
  /**
   * Its main process has ended: resolves when a signal of the scheduler's that it died of must have come; null: now.
   * @param ofTerm it may have died of SIGTERM
   */
  settled(ofTerm: boolean): Promise<void> | null;
  /** Time left for the job since the scheduler has asked it to end, ms. */
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
  const { environment, adopted } = subject;
  if (scheduler === 'pbs') {
    return {
      ...NOTHING,
      // MoM signals one process after the other: the job may be the first, and end before keeper and wrapper have theirs.
      settled: (ofTerm) => (ofTerm ? after(signalWaitMs(environment, readFile)) : null),
      graceMs: countdown(spec, (nowMs) => nowMs + PBS_KILL_AFTER_MS),
    };
  }
  if (scheduler !== 'slurm') return NOTHING;
  let close = () => {};
  return {
    started(box) {
      // A user could remove those of boxes, but not Slurm's around them, which nobody would find then.
      if (groups.length > 0 && process.geteuid?.() === 0)
        new Timer(() => loadSlurm().tidyAfterOthers(log, groups), true).start(TIDY_AFTER_MS);
      // Signals reach what was adopted without us.
      const isTop = adopted !== null || environment['SLURM_TASK_PID'] === String(process.ppid);
      const follows = spec.timeoutAsked || (spec.timeoutSource === 'scheduler' && spec.timeoutMs > 0);
      if (isTop && !follows) return;
      const { warnOfNoNotice, followJobEnd } = loadSlurm();
      if (!isTop) warnOfNoNotice({ box, log, environment });
      if (follows) close = followJobEnd({ box, log, environment }, spec.timeoutAsked);
    },
    settled() {
      if (adopted !== null || signalWaitMs(environment, readFile) === 0) return null;
      return loadSlurm().untilStepdRests(environment);
    },
    graceMs: countdown(spec, (nowMs) => loadSlurm().killAtMs(environment, nowMs)),
    close: () => close(),
  };
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => new Timer(resolve).start(ms));
}

/** Schedulers repeat their TERM; the first one counts. @param killAt when the scheduler kills what got its TERM now */
function countdown({ uris, flushMs }: BoxSpec, killAt: (nowMs: number) => number): () => number {
  let killAtMs: number | undefined;
  return () => {
    killAtMs ??= killAt(monotonicMs());
    const waitMs = killAtMs - monotonicMs();
    const reserveMs = (uris.length > 0 ? flushMs : 0) + RESERVE_MS;
    return Math.max(0, waitMs - Math.min(reserveMs, waitMs * RESERVE_SHARE));
  };
}

/** After qdel some 10 s, at the end of the walltime some 9 s. Queues may have another `kill_delay`, which no job is told. */
const PBS_KILL_AFTER_MS = 9_000;

/** Short steps, which come by the hundred, leave it to others. */
const TIDY_AFTER_MS = 1_000;
/** Between the end of the grace period and the scheduler's KILL: the last sample and the report go out. */
const RESERVE_MS = 500;
const RESERVE_SHARE = 0.4;
