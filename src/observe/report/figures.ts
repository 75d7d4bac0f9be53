import type { BoxFacts } from './facts.js';
import type { Group, JobEnd } from './group.js';

/** The figures of a job as a whole, before anybody remarks on them. */
export interface JobFigures {
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
}
