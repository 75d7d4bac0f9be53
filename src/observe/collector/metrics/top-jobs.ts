import type { LiveBox } from '../live/box.js';
import { F } from '../live/figures.js';
import { jobKey } from '../live/row.js';

/** The jobs that get series of their own: a bounded number, those that use the most. */

export interface JobFigures {
  readonly cluster: string;
  readonly user: string;
  readonly job: string;
  boxes: number;
  silentBoxes: number;
  readonly hosts: Set<string>;
  cpuUsedCores: number;
  /** NaN unless each box has such a limit. */
  cpuLimitCores: number;
  cpuSeconds: number;
  memoryUsedBytes: number;
  memoryPeakBytes: number;
  /** NaN unless each box has such a limit. */
  memoryLimitBytes: number;
  readBytes: number;
  writtenBytes: number;
  throttledSeconds: number;
  oomKills: number;
  lostMessages: number;
  /** Of the box that has run longest, and of the one that has the least time left. */
  elapsedSeconds: number;
  timeUsedRatio: number;
  /** Highest share of its memory limit that a box uses. */
  memoryUsedRatio: number;
}

export function jobFigures(boxes: Iterable<LiveBox>, nowMs: number): Map<string, JobFigures> {
  const jobs = new Map<string, JobFigures>();
  for (const box of boxes) {
    const key = jobKey(box.identity);
    const job = jobs.get(key) ?? empty(box);
    jobs.set(key, job);
    add(job, box, nowMs);
  }
  return jobs;
}

function empty({ identity: { cluster, user, job } }: LiveBox): JobFigures {
  const zeros = { boxes: 0, silentBoxes: 0, cpuUsedCores: 0, cpuLimitCores: 0, cpuSeconds: 0, memoryUsedBytes: 0 };
  const more = { memoryPeakBytes: 0, memoryLimitBytes: 0, readBytes: 0, writtenBytes: 0, throttledSeconds: 0 };
  const last = { oomKills: 0, lostMessages: 0, elapsedSeconds: 0, timeUsedRatio: 0, memoryUsedRatio: 0 };
  return { cluster: cluster ?? '', user, job, hosts: new Set(), ...zeros, ...more, ...last };
}

function add(job: JobFigures, box: LiveBox, nowMs: number): void {
  const { figures, end } = box;
  const at = (index: number) => figures[index] || 0;
  job.cpuSeconds += at(F.cpuUsec) / 1e6;
  job.memoryPeakBytes += at(F.memoryPeakBytes);
  job.readBytes += at(F.readBytes);
  job.writtenBytes += at(F.writeBytes);
  job.throttledSeconds += at(F.throttledUsec) / 1e6;
  job.oomKills += at(F.oomKills);
  job.lostMessages += at(F.dropped);
  job.elapsedSeconds = Math.max(job.elapsedSeconds, at(F.elapsedMs) / 1e3);
  if (end !== null) return;
  job.boxes++;
  job.hosts.add(box.identity.host);
  if (box.isSilent(nowMs)) job.silentBoxes++;
  job.cpuUsedCores += at(F.cpuMilliPercent) / 1e5;
  job.cpuLimitCores += figures[F.cpuLimitMilliCores]! / 1e3;
  job.memoryUsedBytes += at(F.memoryBytes);
  job.memoryLimitBytes += figures[F.memoryLimitBytes]!;
  job.timeUsedRatio = Math.max(job.timeUsedRatio, figures[F.elapsedMs]! / figures[F.timeLimitMs]! || 0);
  job.memoryUsedRatio = Math.max(job.memoryUsedRatio, figures[F.memoryBytes]! / figures[F.memoryLimitBytes]! || 0);
}

/** The `count` jobs that use the most memory, and the `count` that use the most CPU. */
export function topJobs(jobs: Iterable<JobFigures>, count: number): JobFigures[] {
  const all = [...jobs];
  const top = (key: (job: JobFigures) => number) =>
    [...all].sort((one, other) => key(other) - key(one)).slice(0, count);
  return [...new Set([...top((job) => job.memoryUsedBytes), ...top((job) => job.cpuUsedCores)])];
}
