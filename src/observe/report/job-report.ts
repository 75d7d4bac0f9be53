import type { Note } from '../model/observed.js';
import type { BoxFacts } from './facts.js';
import { endsOf, type Group, groupBy, groupOf, type JobEnd, latestRuns } from './group.js';
import { notesFor } from './notes.js';
import { DEFAULT_THRESHOLDS, type Thresholds } from './thresholds.js';

/** A job as a whole: all its nodes, steps and tasks, and all tasks of an array. */

export interface JobReport {
  /** The id that was asked for: of an array, without the index of a task. */
  readonly job: string;
  readonly user: string;
  readonly scheduler: string;
  readonly cluster: string | null;
  readonly queue: string | null;
  /** The ids of the jobs that it holds: one, or the tasks of an array. */
  readonly jobs: readonly string[];
  readonly nodes: readonly Group[];
  readonly boxes: readonly BoxFacts[];
  /** Boxes of earlier runs of a job that the scheduler has restarted; they count in nothing here. */
  readonly earlier: number;
  readonly total: Group;
  readonly ends: readonly JobEnd[];
  readonly startedMs: number;
  /** Null while a box runs. */
  readonly endedMs: number | null;
  readonly notes: readonly Note[];
}

/** Whether a job belongs to what was asked for: `1234` is also every task of the array, `1234_7`. */
export function belongsTo(job: string, asked: string): boolean {
  return job === asked || job.startsWith(`${asked}_`);
}

/** @param all boxes of one job or array, each once */
export function reportOf(
  job: string,
  all: readonly BoxFacts[],
  thresholds: Thresholds = DEFAULT_THRESHOLDS,
): JobReport {
  const boxes = latestRuns(all);
  const { identity } = boxes[0]!;
  const byNode = groupBy(boxes, ({ identity: { node, host } }) => node ?? host);
  const bare: Omit<JobReport, 'notes'> = {
    job,
    user: identity.user,
    scheduler: identity.scheduler,
    cluster: identity.cluster,
    queue: identity.queue,
    jobs: [...new Set(boxes.map((box) => box.identity.job))].sort(byName),
    nodes: [...byNode].map(([name, some]) => groupOf(name, some)).sort((a, b) => byName(a.name, b.name)),
    boxes,
    earlier: all.length - boxes.length,
    total: groupOf(job, boxes),
    ends: endsOf(boxes),
    startedMs: Math.min(...boxes.map(({ atMs, elapsedMs }) => atMs - elapsedMs)),
    endedMs: boxes.every(({ ended }) => ended) ? Math.max(...boxes.map(({ atMs }) => atMs)) : null,
  };
  return { ...bare, notes: notesFor(bare, thresholds) };
}

const NAMES = new Intl.Collator('en', { numeric: true });

function byName(a: string, b: string): number {
  return NAMES.compare(a, b);
}
