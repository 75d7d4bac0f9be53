import { monotonicMs, SuspensionWatch, Timer } from 'cgroup-utils-native';

/** The clock of a box and timers on that clock. Tests pass one that they advance themselves. */
export interface Time {
  /** CLOCK_MONOTONIC, ms. */
  readonly now: () => number;
  /** @param background the timer does not keep the process alive. @default false */
  readonly createTimer: (onFire: () => void, background?: boolean) => Pick<Timer, 'start' | 'stop'>;
  /** Measures how long this process itself has been stopped or frozen. */
  readonly watchSuspension: (onSuspended: () => void) => Pick<SuspensionWatch, 'suspendedMs' | 'close'>;
}

export const systemTime: Time = {
  now: monotonicMs,
  createTimer: (onFire, background) => new Timer(onFire, background),
  watchSuspension: (onSuspended) => new SuspensionWatch(onSuspended),
};
