import { monotonicMs, SuspensionWatch, Timer } from 'cgroup-utils-native';

/** The clock of a box and timers on that clock. Tests pass one that they advance themselves. */
export interface Time {
  /** CLOCK_MONOTONIC, ms. */
  readonly now: () => number;
  /** @param background the timer does not keep the process alive. @default false */
  readonly createTimer: (onFire: () => void, background?: boolean) => Pick<Timer, 'start' | 'stop'>;
  /** Measures how long the scheduler has held the box, which it stops or freezes together with its wrapper. */
  readonly watchSuspension: (onSuspended: () => void) => HoldWatch;
}

export interface HoldWatch extends Pick<SuspensionWatch, 'suspendedMs' | 'close'> {
  /**
   * Resolves when `suspendedMs` is up to date, which is after a hold that goes on.
   * @default it always is, because a hold stops this process as well
   */
  upToDate?(): Promise<void>;
}

/** For a process that is held together with its box. */
export const systemTime: Time = {
  now: monotonicMs,
  createTimer: (onFire, background) => new Timer(onFire, background),
  watchSuspension: (onSuspended) => new SuspensionWatch(onSuspended),
};
