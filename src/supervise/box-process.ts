import {
  boundEnd,
  dieOf,
  exitNow,
  flushPatience,
  type Keeper,
  releaseStdio,
  stopOwnGroup,
  writeStderr,
} from 'cgroup-utils-native';
import { removeCgroup } from '../cgroup/remove.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { runHere } from '../kernel/run-task.js';
import type { Logger } from '../log.js';

const SIGTSTP = 20;

/** The process that hosts a box, as the box sees it. */
export interface BoxProcess {
  /** Writes log lines and the report. */
  readonly write: (text: string) => void;
  /** From now on, an unforeseen error in this process must not end the job. */
  readonly guard: (log: Logger) => void;
  /** The job has started. @param flushMs longest time that the end of the box may take */
  readonly started: (flushMs: number) => void;
  /** Sets when every process of the box must have ended, in monotonic ms; 0 clears it. */
  readonly bound: (endMs: number) => void;
  /**
   * A signal has stopped the job on its terminal. On ^Z the shell waits for our group to stop, too. If our group is orphaned, the
   * kernel does not let ^Z stop it, so the job must go on.
   */
  readonly stopGroup: (keeper: Keeper, signal: number) => Promise<unknown>;
  /** The keeper has died: removes the groups that it would have removed. */
  readonly removeGroups: (cgroup: BoxCgroup) => void;
  /** Lets the keeper do its last steps and end. */
  readonly finish: (keeper: Keeper) => void;
  /** The box is over. @param signal kills the process if it hosts only this box; null: it exits with `exitStatus` */
  readonly ended: (exitStatus: number, signal: number | null) => void;
}

/** A process that hosts one box, and ends with it, as does its front end. */
export function ownProcess(): BoxProcess {
  return {
    write: writeStderr,
    guard: guardProcess,
    started(flushMs) {
      releaseStdio();
      flushPatience(flushMs);
    },
    bound: boundEnd,
    stopGroup: async (keeper, signal) => (!stopOwnGroup() && signal === SIGTSTP ? keeper.resume() : undefined),
    removeGroups: (cgroup) => runHere(removeCgroup(cgroup)),
    finish: (keeper) => keeper.finish(),
    ended: (exitStatus, signal) => (signal === null ? exitNow(exitStatus) : dieOf(signal)),
  };
}

/** From now on, an uncaught exception is logged instead of ending this process, and the boxes go on. */
export function guardProcess(log: Logger): void {
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => tellUncaught(log, error));
}

function tellUncaught(log: Logger, error: Error): void {
  // amqplib throws this if rascal goes on using a connection that has ended; the link is already reconnecting.
  if (error.name === 'IllegalOperationError') log.debug(`control: ${error.message}`);
  else {
    log.error(`internal error, the job goes on: ${error.message}`);
    log.debug(`${error.stack}`);
  }
}
