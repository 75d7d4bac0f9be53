import type { BoxFacts } from './facts.js';

/** Use against request, over some boxes of a job. */

/** Boxes that ended in the same way. */
export interface JobEnd {
  readonly reason: string;
  readonly exitStatus: number | null;
  readonly signal: string | null;
  readonly why: string | null;
  readonly boxes: number;
  /** Where the first of them was. */
  readonly first: BoxFacts;
}

/** Use against request, over some boxes. */
export interface Group {
  readonly name: string;
  readonly boxes: number;
  readonly hosts: number;
  readonly running: number;
  /** From the first start to the last end, or to now. */
  readonly wallMs: number;
  readonly cpuSec: number;
  /** Cores that were in use on average, while the boxes ran. */
  readonly coresUsed: number;
  /** Cores asked for at the same time at most; null if a box had no limit. */
  readonly coresAsked: number | null;
  /** CPU time over the time of the cores that were asked for, in percent. */
  readonly cpuPercent: number | null;
  /** Of the box that came closest to its limit, or else of the largest. */
  readonly memoryPeakBytes: number;
  readonly memoryLimitBytes: number | null;
  readonly memoryPercent: number | null;
  /** Sum of the peaks: more than was ever in use, where boxes peak at different times. */
  readonly memoryPeakSumBytes: number;
  readonly timeUsedMs: number;
  readonly timeLimitMs: number | null;
  readonly oomKills: number;
  readonly throttledMs: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly stdoutBytes: number;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly cores: number;
}

export function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** Of a job that the scheduler has restarted, only the last run counts. */
export function latestRuns(boxes: readonly BoxFacts[]): BoxFacts[] {
  const last = new Map<string, number>();
  for (const { identity } of boxes) last.set(identity.job, Math.max(last.get(identity.job) ?? 0, identity.restart));
  return boxes.filter(({ identity }) => identity.restart === last.get(identity.job));
}

export function groupOf(name: string, boxes: readonly BoxFacts[]): Group {
  const asking = withoutWaiting(boxes);
  const spans = boxes.map(spanOf);
  const { unionMs, cores } = overlap(asking.map(spanOf));
  const sum = (value: (box: BoxFacts) => number | null) => boxes.reduce((total, box) => total + (value(box) ?? 0), 0);
  const cpuSec = sum((box) => box.cpuSec);
  const known = asking.every((box) => box.cores !== null);
  const asked = asking.reduce((total, box) => total + (ranMs(box) / 1000) * (box.cores ?? 0), 0);
  const largest = boxes.reduce((most, box) => (memoryRank(box) > memoryRank(most) ? box : most));
  const longest = boxes.reduce((most, box) => (timeRank(box) > timeRank(most) ? box : most));
  return {
    name,
    boxes: boxes.length,
    hosts: new Set(boxes.map(({ identity }) => identity.host)).size,
    running: boxes.filter(({ ended }) => !ended).length,
    wallMs: Math.max(...spans.map(({ toMs }) => toMs)) - Math.min(...spans.map(({ fromMs }) => fromMs)),
    cpuSec,
    coresUsed: unionMs > 0 ? cpuSec / (unionMs / 1000) : 0,
    coresAsked: known ? cores : null,
    cpuPercent: known && asked > 0 ? (100 * cpuSec) / asked : null,
    memoryPeakBytes: largest.memoryPeakBytes,
    memoryLimitBytes: largest.memoryLimitBytes,
    memoryPercent: percentOf(largest.memoryPeakBytes, largest.memoryLimitBytes),
    memoryPeakSumBytes: sum((box) => box.memoryPeakBytes),
    timeUsedMs: longest.timeUsedMs,
    timeLimitMs: longest.timeLimitMs,
    oomKills: sum((box) => box.oomKills),
    throttledMs: sum((box) => box.throttledMs),
    readBytes: sum((box) => box.readBytes),
    writeBytes: sum((box) => box.writeBytes),
    stdoutBytes: sum((box) => box.stdoutBytes),
  };
}

/** @returns null without a limit */
export function percentOf(used: number, limit: number | null): number | null {
  return limit === null || limit <= 0 ? null : (100 * used) / limit;
}

/** Time in which the box could use its CPUs. */
export function ranMs({ elapsedMs, suspendedMs }: BoxFacts): number {
  return Math.max(0, elapsedMs - (suspendedMs ?? 0));
}

/**
 * While Slurm's steps run, the batch script that has started them waits, in a box that may have the same CPUs. It asks for
 * nothing of its own then.
 */
function withoutWaiting(boxes: readonly BoxFacts[]): readonly BoxFacts[] {
  const steps = boxes.filter(({ identity }) => identity.step !== 'batch');
  return steps.length === 0 ? boxes : steps;
}

function spanOf({ atMs, elapsedMs, cores }: BoxFacts): Span {
  return { fromMs: atMs - elapsedMs, toMs: atMs, cores: cores ?? 0 };
}

/** The time in which any of the spans lasted, and the most cores at a time. */
function overlap(spans: readonly Span[]): { readonly unionMs: number; readonly cores: number } {
  const edges = spans
    .flatMap(({ fromMs, toMs, cores }) => [
      { atMs: fromMs, count: 1, cores },
      { atMs: toMs, count: -1, cores: -cores },
    ])
    // Of two spans of which one begins when the other ends, the end comes first.
    .sort((a, b) => a.atMs - b.atMs || a.count - b.count);
  let [open, now, most, unionMs, sinceMs] = [0, 0, 0, 0, 0];
  for (const { atMs, count, cores } of edges) {
    if (open > 0) unionMs += atMs - sinceMs;
    sinceMs = atMs;
    open += count;
    now += cores;
    most = Math.max(most, now);
  }
  return { unionMs, cores: Math.round(most * 1000) / 1000 };
}

/** Boxes with a limit come before those without one, whose peaks nothing compares with. */
function memoryRank({ memoryPeakBytes, memoryLimitBytes }: BoxFacts): number {
  const percent = percentOf(memoryPeakBytes, memoryLimitBytes);
  return percent === null ? memoryPeakBytes / Number.MAX_SAFE_INTEGER : 1 + percent;
}

function timeRank({ timeUsedMs, timeLimitMs }: BoxFacts): number {
  const percent = percentOf(timeUsedMs, timeLimitMs);
  return percent === null ? timeUsedMs / Number.MAX_SAFE_INTEGER : 1 + percent;
}

/** How the boxes ended, the most frequent way first; within it the first box that did. */
export function endsOf(boxes: readonly BoxFacts[]): JobEnd[] {
  const groups = groupBy(boxes, ({ reason, exitStatus, signal }) => JSON.stringify([reason, exitStatus, signal]));
  return [...groups.values()]
    .map((some): JobEnd => {
      const first = some.reduce((earliest, box) => (box.atMs < earliest.atMs ? box : earliest));
      const { reason, exitStatus, signal, why } = first;
      return { reason, exitStatus, signal, why, boxes: some.length, first };
    })
    .sort((a, b) => b.boxes - a.boxes);
}
