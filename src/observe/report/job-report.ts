import type { Note } from '../model/observed.js';
import type { BoxFacts } from './facts.js';
import type { JobFigures } from './figures.js';
import { endsOf, groupBy, groupOf, latestRuns } from './group.js';
import { notesFor } from './notes.js';
import { DEFAULT_THRESHOLDS, type Thresholds } from './thresholds.js';

/** A job as a whole: all its nodes, steps and tasks, and all tasks of an array. */

export interface JobReport extends JobFigures {
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
  const figures: JobFigures = {
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
  return { ...figures, notes: notesFor(figures, thresholds) };
}

const NAMES = new Intl.Collator('en', { numeric: true });

function byName(a: string, b: string): number {
  return NAMES.compare(a, b);
}
