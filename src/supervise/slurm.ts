import type { Box } from '../box/box.js';
import { removeAbandoned } from '../cgroup/abandoned.js';
import { after, type Delay } from '../delay.js';
import { directoriesIn, readFile } from '../kernel/files.js';
import type { Logger } from '../log.js';
import { duration } from '../options/amounts.js';
import { stopBeforeMs } from '../options/time-limit.js';
import type { Environment } from '../scheduler/identity.js';
import { isStepdBusy } from '../scheduler/slurm-busy.js';
import { killWaitMs } from '../scheduler/slurm-conf.js';
import { askJobEnd } from '../scheduler/slurm-end.js';
import { whyUnnoticed } from '../scheduler/slurm-top.js';

/** What a box does because it runs in a Slurm job. A bundle of its own, loaded after the job has started. */

export interface SlurmBox {
  readonly box: Box;
  readonly log: Logger;
  readonly environment: Environment;
  /** Pid of the front end. */
  readonly frontPid: number;
}

/** Warns once if Slurm would kill the box without notice. */
export function warnOfNoNotice({ log, environment, frontPid }: SlurmBox): void {
  const why = whyUnnoticed(environment, frontPid, (pid) => readFile(`/proc/${pid}/status`));
  if (why !== null) log.warn(why);
}

/** Levels of Slurm's v1 groups below that of a user: job, step and task. */
const LEVELS = 3;

/** Removes the groups of boxes that Slurm killed together with their keepers. @param groups those of this box */
export function tidyAfterOthers(log: Logger, groups: readonly string[]): void {
  const count = removeAbandoned(groups, LEVELS);
  if (count > 0) log.debug(`removed ${count} control groups that killed boxes had left`);
}

const REST_LOOK_MS = 2;
const REST_MAX_MS = 100;

/** Waits until slurmstepd is idle; null if it is idle now. Bounded, because it may be busy with other tasks' output. */
export function untilStepdRests(environment: Environment, frontPid: number): Promise<void> | null {
  const busy = () => isStepdBusy(environment, frontPid, { read: readFile, list: directoriesIn });
  if (!busy()) return null;
  return new Promise((resolve) => {
    let leftMs = REST_MAX_MS;
    const look = setInterval(() => {
      leftMs -= REST_LOOK_MS;
      if (leftMs > 0 && busy()) return;
      clearInterval(look);
      resolve();
    }, REST_LOOK_MS);
  });
}

/** When Slurm kills a process that got its TERM at `atMs`; same clock. */
export function killAtMs(environment: Environment, atMs: number): number {
  return atMs + killWaitMs(environment, readFile);
}

/** How long before the box's own end it asks whether the job's time limit has changed. */
const LOOK_AGAIN_MS = 15_000;
const RETRY_MS = 60_000;
const TRIES_MAX = 5;
/** Spreads the questions of a job's boxes to the controller. */
const SPREAD_PER_TASK_MS = 10;
const SPREAD_MAX_MS = 10_000;

/**
 * Keeps the box's wall clock limit shortly before the end of its job, which it asks the controller for. It asks at once
 * if the end is unknown or the user gave `--timeout scheduler`, because the environment holds the end as it was when
 * the step started. It asks again shortly before the box would stop, since an operator may have given the job more
 * time. A limit that a command has set meanwhile stays.
 * @param asked whether the user gave `--timeout scheduler`
 * @returns stops following
 */
export function followJobEnd({ box, log, environment }: SlurmBox, asked: boolean): () => void {
  const aborted = new AbortController();
  let timer: Delay | undefined;
  let tries = 0;
  const lookAfter = (ms: number) => {
    timer = after(ms, () => void look(), true);
  };
  const look = async () => {
    try {
      const endMs = await askJobEnd(environment, aborted.signal);
      tries = 0;
      if (box.limits.get('timeout')?.source !== 'scheduler') return;
      const { elapsed_ms: elapsedMs, limit_ms: knownMs } = box.clock.status();
      const leftMs = endMs === null ? Number.POSITIVE_INFINITY : endMs - Date.now();
      const limitMs = stopBeforeMs(elapsedMs + leftMs);
      if (differ(knownMs ?? Number.POSITIVE_INFINITY, limitMs)) {
        box.followScheduler(endMs === null ? 0 : limitMs);
        log.info(
          endMs === null
            ? 'the job has no time limit, so the box has no wall clock limit (scheduler)'
            : `the job ends in ${told(leftMs)}: the box stops itself in ${told(limitMs - elapsedMs)} (scheduler)`,
        );
      }
      if (endMs !== null && limitMs - elapsedMs > LOOK_AGAIN_MS) lookAfter(limitMs - elapsedMs - LOOK_AGAIN_MS);
    } catch (error) {
      if (aborted.signal.aborted) return;
      if (++tries === 1) log.warn(`the end of the job is unknown, and the box goes on: ${(error as Error).message}`);
      if (tries < TRIES_MAX) lookAfter(RETRY_MS);
    }
  };
  const tasks = Number(environment['SLURM_NTASKS'] ?? 1) || 1;
  const { remaining_ms: known } = box.clock.status();
  if (known !== null && !asked) lookAfter(known - LOOK_AGAIN_MS);
  else lookAfter(tasks === 1 ? 0 : Math.random() * Math.min(SPREAD_MAX_MS, tasks * SPREAD_PER_TASK_MS));
  return () => {
    timer?.cancel();
    aborted.abort();
  };
}

/** With a tolerance, because the controller gives whole seconds. */
function differ(knownMs: number, toldMs: number): boolean {
  return knownMs !== toldMs && !(Math.abs(knownMs - toldMs) < 2_000);
}

/** A duration, rounded to the second. */
function told(ms: number): string {
  return duration(Math.round(ms / 1000) * 1000);
}
