import type { BoxRow, BoxTotals, SortKey } from '../../model/api.js';
import type { LiveBox } from './box.js';
import { F, known } from './figures.js';

/** Rows of tables: what the API shows of a box. */

export function rowOf(box: LiveBox, nowMs: number): BoxRow {
  const { identity, figures, rates, end } = box;
  const at = (index: number) => known(figures[index]!);
  const milli = (index: number) => thousandth(figures[index]!);
  return {
    box: identity.box,
    job: identity.job,
    user: identity.user,
    host: identity.host,
    scheduler: identity.scheduler,
    cluster: identity.cluster,
    step: identity.step,
    task: identity.task,
    queue: identity.queue,
    restart: identity.restart,
    verified: identity.verified,
    executable: box.executable,
    state: box.state,
    silent: box.isSilent(nowMs),
    started_ms: box.startedMs,
    updated_ms: box.updatedMs,
    ended_ms: end?.atMs ?? null,
    elapsed_ms: at(F.elapsedMs),
    time_limit_ms: at(F.timeLimitMs),
    cpu_percent: end === null ? (milli(F.cpuMilliPercent) ?? 0) : 0,
    cpu_average_percent: known(averagePercent(box)),
    cpu_limit_cores: milli(F.cpuLimitMilliCores),
    cpu_sec: figures[F.cpuUsec]! / 1e6,
    memory_bytes: figures[F.memoryBytes]!,
    memory_peak_bytes: figures[F.memoryPeakBytes]!,
    memory_limit_bytes: at(F.memoryLimitBytes),
    swap_bytes: at(F.swapBytes) ?? 0,
    read_bytes_per_sec: end === null ? rates.readBytesPerSec : 0,
    write_bytes_per_sec: end === null ? rates.writeBytesPerSec : 0,
    read_bytes: figures[F.readBytes]!,
    write_bytes: figures[F.writeBytes]!,
    stdout_bytes: at(F.stdoutBytes) ?? 0,
    pressure_cpu_percent: milli(F.pressureCpuMilliPercent),
    pressure_memory_percent: milli(F.pressureMemoryMilliPercent),
    pressure_io_percent: milli(F.pressureIoMilliPercent),
    pressure_scope: box.pressureScope,
    throttled_percent: known(rates.throttledPercent),
    processes: end === null ? (at(F.processes) ?? 0) : 0,
    threads: end === null ? (at(F.threads) ?? 0) : 0,
    oom_kills: at(F.oomKills),
    dropped: figures[F.dropped]!,
    reason: end?.reason ?? null,
    exit_status: end?.exitStatus ?? null,
    why: end?.why ?? null,
  };
}

/** CPU time over elapsed time; 100 is one core. NaN if unknown. */
export function averagePercent({ figures }: LiveBox): number {
  const elapsedMs = figures[F.elapsedMs]!;
  return elapsedMs > 0 ? figures[F.cpuUsec]! / elapsedMs / 10 : Number.NaN;
}

function thousandth(value: number): number | null {
  return Number.isNaN(value) ? null : value / 1e3;
}

type Key = (box: LiveBox) => number | string;

const figure =
  (index: number): Key =>
  ({ figures }) =>
    figures[index]!;
const whileRunning =
  (key: (box: LiveBox) => number): Key =>
  (box) =>
    box.end === null ? key(box) : 0;

/** The value by which a table is sorted. NaN comes last in either direction. */
export const SORT_VALUES: Readonly<Record<SortKey, Key>> = {
  job: ({ identity }) => identity.job,
  user: ({ identity }) => identity.user,
  host: ({ identity }) => identity.host,
  state: ({ state }) => state,
  started_ms: ({ startedMs }) => startedMs ?? Number.NaN,
  updated_ms: ({ updatedMs }) => updatedMs,
  elapsed_ms: figure(F.elapsedMs),
  cpu_percent: whileRunning(({ figures }) => figures[F.cpuMilliPercent]!),
  cpu_average_percent: averagePercent,
  memory_bytes: figure(F.memoryBytes),
  memory_peak_bytes: figure(F.memoryPeakBytes),
  memory_percent: ({ figures }) => figures[F.memoryBytes]! / figures[F.memoryLimitBytes]!,
  read_bytes_per_sec: whileRunning(({ rates }) => rates.readBytesPerSec),
  write_bytes_per_sec: whileRunning(({ rates }) => rates.writeBytesPerSec),
  pressure_cpu_percent: figure(F.pressureCpuMilliPercent),
  pressure_memory_percent: figure(F.pressureMemoryMilliPercent),
  pressure_io_percent: figure(F.pressureIoMilliPercent),
  throttled_percent: ({ rates }) => rates.throttledPercent,
  processes: whileRunning(({ figures }) => figures[F.processes]!),
  oom_kills: figure(F.oomKills),
  time_percent: ({ figures }) => figures[F.elapsedMs]! / figures[F.timeLimitMs]!,
};

export function totalsOf(boxes: Iterable<LiveBox>, nowMs: number): BoxTotals {
  const [jobs, users, hosts] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const by_state: Record<string, number> = {};
  const sums = {
    boxes: 0,
    silent: 0,
    cpu_percent: 0,
    memory_bytes: 0,
    memory_limit_bytes: 0,
    read_bytes_per_sec: 0,
    write_bytes_per_sec: 0,
    processes: 0,
  };
  for (const box of boxes) {
    const { identity, figures, rates } = box;
    sums.boxes++;
    by_state[box.state] = (by_state[box.state] ?? 0) + 1;
    if (box.end !== null) continue;
    jobs.add(jobKey(identity));
    users.add(identity.user);
    hosts.add(identity.host);
    if (box.isSilent(nowMs)) sums.silent++;
    sums.cpu_percent += (figures[F.cpuMilliPercent] || 0) / 1e3;
    sums.memory_bytes += figures[F.memoryBytes]!;
    sums.memory_limit_bytes += figures[F.memoryLimitBytes] || 0;
    sums.read_bytes_per_sec += rates.readBytesPerSec;
    sums.write_bytes_per_sec += rates.writeBytesPerSec;
    sums.processes += figures[F.processes] || 0;
  }
  return { ...sums, jobs: jobs.size, users: users.size, hosts: hosts.size, by_state };
}

/** Tells jobs apart: clusters, and users of hosts without a scheduler, may have the same ids. */
export function jobKey({ cluster, user, job }: Pick<LiveBox['identity'], 'cluster' | 'user' | 'job'>): string {
  return `${cluster ?? ''}\n${user}\n${job}`;
}
