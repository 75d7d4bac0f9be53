import type { Box } from '../box/box.js';
import { shown } from '../bytes.js';

/** One box, as `proc_box list` shows it. Times are in ms, sizes in bytes; null is unknown. */
export interface BoxRow {
  readonly box: string;
  readonly job: string;
  readonly step: string | null;
  readonly task: string | null;
  readonly user: string;
  readonly state: string;
  /** Of the main process. */
  readonly pid: number;
  readonly elapsed_ms: number;
  /** The time limit, and how much of it is used; null without one. */
  readonly limit_ms: number | null;
  readonly used_ms: number;
  readonly memory: number | null;
  readonly memory_peak: number | null;
  readonly memory_limit: number | null;
  readonly cpu_percent: number | null;
  /** The command's first word. */
  readonly command: string;
}

/** @returns nothing for a box whose job has not started */
export function rowOf(box: Box | undefined): BoxRow[] {
  if (box === undefined || box.pid === 0) return [];
  const { identity, state, pid, executable, elapsed_ms, timer, limits, sample } = box.status();
  const { job, step, task, user } = identity;
  const limit = limits['memory']?.value;
  return [
    {
      box: identity.box,
      job,
      step,
      task,
      user,
      state,
      pid,
      elapsed_ms,
      limit_ms: timer.limit_ms,
      used_ms: timer.elapsed_ms,
      memory: sample?.Memory.rss ?? null,
      memory_peak: sample?.MemoryPeak.rss ?? null,
      memory_limit: typeof limit === 'number' ? limit : null,
      cpu_percent: sample?.CPUPercent ?? null,
      command: shown(executable),
    },
  ];
}
