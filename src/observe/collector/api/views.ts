import type { BoxView, GroupRow, GroupView, JobRow, JobView } from '../../model/api.js';
import type { Note } from '../../model/observed.js';
import type { LiveBox } from '../live/box.js';
import { F } from '../live/figures.js';
import { jobKey, rowOf, totalsOf } from '../live/row.js';
import { JOB_BOXES_MAX } from '../store/queries.js';

/** What the API shows of a box, a job, a user or a host. */

export type NotesOf = (boxes: readonly LiveBox[]) => readonly Note[];

const JOBS_MAX = 500;
const ENDS_MAX = 50;

export function boxView(box: LiveBox, nowMs: number, notesOf: NotesOf): BoxView {
  return {
    row: rowOf(box, nowMs),
    node: box.identity.node,
    limits: { ...box.limits },
    processes: box.largest.map(({ pid, ppid, name, state, threads, rssBytes, cpuSec }) => ({
      pid,
      ppid,
      name,
      state,
      threads,
      rss_bytes: rssBytes,
      cpu_sec: cpuSec,
    })),
    report: box.report === null ? null : JSON.parse(box.report),
    samples: box.samples,
    events: box.events,
    missing: box.missing,
    notes: notesOf([box]),
  };
}

/** @param boxes all of one job, at least one */
export function jobView(job: string, boxes: readonly LiveBox[], nowMs: number, notesOf: NotesOf): JobView {
  const { cluster, user, queue } = boxes[0]!.identity;
  const open = boxes.filter(({ end }) => end === null);
  const peaks = boxes.map(({ figures }) => figures[F.memoryPeakBytes]!);
  const ends = new Map<string, JobView['ends'][number]>();
  for (const { end } of boxes) {
    if (end === null) continue;
    const key = JSON.stringify([end.reason, end.why, end.exitStatus]);
    const known = ends.get(key);
    ends.set(key, { reason: end.reason, why: end.why, exit_status: end.exitStatus, boxes: (known?.boxes ?? 0) + 1 });
  }
  return {
    job,
    cluster,
    user,
    queue,
    state: open.length === 0 ? 'ended' : open.every(({ state }) => state === 'suspended') ? 'suspended' : 'running',
    started_ms: least(boxes.map(({ startedMs }) => startedMs)),
    ended_ms: open.length > 0 ? null : most(boxes.map(({ end }) => end?.atMs ?? null)),
    hosts: [...new Set(boxes.map(({ identity }) => identity.host))].sort(),
    totals: totalsOf(boxes, nowMs),
    memory_peak_bytes: peaks.reduce((peak, one) => Math.max(peak, one), 0),
    memory_peak_sum_bytes: peaks.reduce((sum, one) => sum + one, 0),
    cpu_sec: boxes.reduce((sum, { figures }) => sum + figures[F.cpuUsec]! / 1e6, 0),
    cpu_efficiency_percent: efficiencyOf(boxes),
    boxes: boxes.slice(0, JOB_BOXES_MAX).map((box) => rowOf(box, nowMs)),
    boxes_total: boxes.length,
    ends: [...ends.values()].sort((one, other) => other.boxes - one.boxes).slice(0, ENDS_MAX),
    notes: notesOf(boxes),
  };
}

/** CPU time over what the limits on CPUs would have given; null if any box has no such limit. */
function efficiencyOf(boxes: readonly LiveBox[]): number | null {
  let [used, given] = [0, 0];
  for (const { figures } of boxes) {
    used += figures[F.cpuUsec]! / 1e6;
    given += ((figures[F.cpuLimitMilliCores]! / 1e3) * figures[F.elapsedMs]!) / 1e3;
  }
  return given > 0 ? (used / given) * 100 : null;
}

export function groupView(name: string, boxes: readonly LiveBox[], nowMs: number): GroupView {
  const jobs = new Map<string, LiveBox[]>();
  for (const box of boxes) {
    const key = jobKey(box.identity);
    const known = jobs.get(key);
    if (known === undefined) jobs.set(key, [box]);
    else known.push(box);
  }
  const rows = [...jobs.values()].map(jobRow).sort((one, other) => other.memory_bytes - one.memory_bytes);
  return { name, totals: totalsOf(boxes, nowMs), jobs: rows.slice(0, JOBS_MAX) };
}

function jobRow(boxes: readonly LiveBox[]): JobRow {
  const { job, cluster, user, queue } = boxes[0]!.identity;
  const open = boxes.filter(({ end }) => end === null);
  const sum = (of: readonly LiveBox[], index: number) =>
    of.reduce((total, { figures }) => total + (figures[index] || 0), 0);
  const limits = boxes.map(({ figures }) => figures[F.memoryLimitBytes]!).filter((limit) => !Number.isNaN(limit));
  return {
    job,
    cluster,
    user,
    queue,
    boxes: boxes.length,
    running: open.length,
    hosts: new Set(boxes.map(({ identity }) => identity.host)).size,
    started_ms: least(boxes.map(({ startedMs }) => startedMs)),
    ended_ms: open.length > 0 ? null : most(boxes.map(({ end }) => end?.atMs ?? null)),
    cpu_percent: sum(open, F.cpuMilliPercent) / 1e3,
    memory_bytes: sum(open, F.memoryBytes),
    memory_peak_bytes: sum(boxes, F.memoryPeakBytes),
    memory_limit_bytes: limits.length === 0 ? null : limits.reduce((total, limit) => total + limit, 0),
    reasons: [...new Set(boxes.flatMap(({ end }) => end?.reason ?? []))],
  };
}

export function groupRow(name: string, boxes: Iterable<LiveBox>): GroupRow | null {
  const jobs = new Set<string>();
  const row = { name, boxes: 0, jobs: 0, cpu_percent: 0, memory_bytes: 0, memory_limit_bytes: 0 };
  for (const { identity, figures, end } of boxes) {
    if (end !== null) continue;
    row.boxes++;
    jobs.add(jobKey(identity));
    row.cpu_percent += (figures[F.cpuMilliPercent] || 0) / 1e3;
    row.memory_bytes += figures[F.memoryBytes]!;
    row.memory_limit_bytes += figures[F.memoryLimitBytes] || 0;
  }
  return row.boxes === 0 ? null : { ...row, jobs: jobs.size };
}

function least(values: readonly (number | null)[]): number | null {
  return values.reduce((found, value) => (value === null ? found : Math.min(found ?? value, value)), null);
}

function most(values: readonly (number | null)[]): number | null {
  return values.reduce((found, value) => (value === null ? found : Math.max(found ?? value, value)), null);
}
