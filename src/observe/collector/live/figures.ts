import { BOX_STATES, type ObservedSample } from '../../model/observed.js';

/**
 * The figures of a sample that the collector keeps, as a row of numbers; NaN is unknown. The first POINT_WIDTH of them make a
 * point of the time line, and all of them a record of the journal. The order is part of the store's format: only add at the end
 * of either part, with another FORMAT.
 */
export const FORMAT = 1;

export const F = {
  sequence: 0,
  atMs: 1,
  /** Time lines hold counters from the start, so that points can be left out without losing anything between them. */
  cpuUsec: 2,
  memoryBytes: 3,
  rssBytes: 4,
  swapBytes: 5,
  memoryLimitBytes: 6,
  readBytes: 7,
  writeBytes: 8,
  pressureCpuUsec: 9,
  pressureMemoryUsec: 10,
  pressureIoUsec: 11,
  throttledUsec: 12,
  processes: 13,
  threads: 14,
  stdoutBytes: 15,
  // Not in time lines.
  elapsedMs: 16,
  timeLimitMs: 17,
  /** 100 percent is 100,000. */
  cpuMilliPercent: 18,
  cpuLimitMilliCores: 19,
  memoryPeakBytes: 20,
  pressureCpuMilliPercent: 21,
  pressureMemoryMilliPercent: 22,
  pressureIoMilliPercent: 23,
  oomKills: 24,
  dropped: 25,
  state: 26,
} as const;

export const POINT_WIDTH = 16;
export const FIGURES_WIDTH = 27;

/** @param atMs of the sample, after it was compared with our own clock */
export function figuresOf(sample: ObservedSample, atMs: number): Float64Array {
  const figures = new Float64Array(FIGURES_WIDTH);
  const { pressure } = sample;
  figures[F.sequence] = sample.sequence;
  figures[F.atMs] = atMs;
  figures[F.cpuUsec] = (sample.userSec + sample.systemSec) * 1e6;
  figures[F.memoryBytes] = sample.memoryBytes;
  figures[F.rssBytes] = sample.rssBytes;
  figures[F.swapBytes] = sample.swapBytes;
  figures[F.memoryLimitBytes] = sample.memoryLimitBytes ?? Number.NaN;
  figures[F.readBytes] = sample.readBytes;
  figures[F.writeBytes] = sample.writeBytes;
  figures[F.pressureCpuUsec] = pressure.cpu?.someTotalUsec ?? Number.NaN;
  figures[F.pressureMemoryUsec] = pressure.memory?.someTotalUsec ?? Number.NaN;
  figures[F.pressureIoUsec] = pressure.io?.someTotalUsec ?? Number.NaN;
  figures[F.throttledUsec] = sample.throttledMs === null ? Number.NaN : sample.throttledMs * 1e3;
  figures[F.processes] = sample.processes;
  figures[F.threads] = sample.threads;
  figures[F.stdoutBytes] = sample.stdoutBytes;
  figures[F.elapsedMs] = sample.elapsedMs ?? Number.NaN;
  figures[F.timeLimitMs] = sample.timeLimitMs ?? Number.NaN;
  figures[F.cpuMilliPercent] = sample.cpuPercent * 1e3;
  figures[F.cpuLimitMilliCores] = sample.cpuLimitCores === null ? Number.NaN : sample.cpuLimitCores * 1e3;
  figures[F.memoryPeakBytes] = sample.memoryPeakBytes;
  figures[F.pressureCpuMilliPercent] = milli(pressure.cpu?.someAvg10);
  figures[F.pressureMemoryMilliPercent] = milli(pressure.memory?.someAvg10);
  figures[F.pressureIoMilliPercent] = milli(pressure.io?.someAvg10);
  figures[F.oomKills] = sample.oomKills ?? Number.NaN;
  figures[F.dropped] = sample.dropped;
  figures[F.state] = BOX_STATES.indexOf(sample.state);
  return figures;
}

function milli(value: number | undefined): number {
  return value === undefined ? Number.NaN : value * 1e3;
}

/** @returns null for NaN */
export function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
