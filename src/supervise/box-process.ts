import { boundEnd, dieOf, exitNow, flushPatience, type Keeper, releaseStdio, writeStderr } from 'cgroup-utils-native';
import type { Logger } from '../log.js';

/** The process that a box lives in, as the box sees it. */
export interface BoxProcess {
  /** Gets lines of the log, and the report. */
  readonly write: (text: string) => void;
  /** From now on what goes wrong in here must not end the job. */
  readonly guard: (log: Logger) => void;
  /** The job runs. @param flushMs that the end of the box may take */
  readonly started: (flushMs: number) => void;
  /** By then, monotonic ms, nothing of the box may run any more; 0: for now no such time. */
  readonly bound: (endMs: number) => void;
  /** Nothing follows for this keeper: it does its last steps, and ends. */
  readonly finish: (keeper: Keeper) => void;
  /** The box is over. @param signal that a process with this box alone is to die of; null: it exits with the status */
  readonly ended: (exitStatus: number, signal: number | null) => void;
}

/** A process of the box's own, with its front end: both end with the box. */
export function ownProcess(): BoxProcess {
  return {
    write: writeStderr,
    guard: guardProcess,
    started(flushMs) {
      releaseStdio();
      flushPatience(flushMs);
    },
    bound: boundEnd,
    finish: (keeper) => keeper.finish(),
    ended: (exitStatus, signal) => (signal === null ? exitNow(exitStatus) : dieOf(signal)),
  };
}

/** What nobody foresaw no longer ends this process: it is told, and the boxes go on. */
export function guardProcess(log: Logger): void {
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => tellUncaught(log, error));
}

function tellUncaught(log: Logger, error: Error): void {
  // amqplib's, where rascal goes on with a connection that has ended meanwhile: the link's next attempt is under way.
  if (error.name === 'IllegalOperationError') log.debug(`control: ${error.message}`);
  else {
    log.error(`internal error, the job goes on: ${error.message}`);
    log.debug(`${error.stack}`);
  }
}
