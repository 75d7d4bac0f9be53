import { amount, duration } from '../../../options/amounts.js';
import type { AlertView } from '../../model/api.js';
import type { LiveBox } from '../live/box.js';
import { F } from '../live/figures.js';
import type { AlertOptions } from '../options.js';

/** When a box gives cause for an alert. Prometheus rules for the same are in scripts/site. */

export type AlertName = AlertView['alert'];

export interface Cause {
  readonly alert: AlertName;
  /** For people. */
  readonly text: string;
}

/** CPU time of a box at the beginning of the window over which its use is judged. */
export interface CpuWindow {
  readonly atMs: number;
  readonly cpuUsec: number;
}

export type Thresholds = Pick<AlertOptions, 'memoryPercent' | 'cpuPercent' | 'cpuWindowMs' | 'timePercent'>;

/** @param canBeSilent false while our own link to the broker is or was down: then silence says nothing about a box */
export function causesOf(box: LiveBox, thresholds: Thresholds, nowMs: number, canBeSilent: boolean): Cause[] {
  const { figures, end } = box;
  const causes: (Cause | null)[] = [oomOf(figures), lostOf(figures)];
  if (end === null) {
    causes.push(memoryOf(box, thresholds), timeOf(figures, thresholds));
    if (canBeSilent && box.isSilent(nowMs)) {
      causes.push({
        alert: 'box_silent',
        text: `no message for ${duration(nowMs - box.receivedMs)}, and the box has not ended`,
      });
    }
  }
  return causes.filter((cause) => cause !== null);
}

function oomOf(figures: Float64Array): Cause | null {
  const kills = figures[F.oomKills]!;
  return kills > 0
    ? { alert: 'oom', text: `the kernel killed ${kills} ${kills === 1 ? 'process' : 'processes'} for lack of memory` }
    : null;
}

function lostOf(figures: Float64Array): Cause | null {
  const dropped = figures[F.dropped]!;
  return dropped > 0 ? { alert: 'messages_lost', text: `the box had to drop ${dropped} of its messages` } : null;
}

/** Page cache counts against a limit, but the kernel takes it back first. Only what it cannot take back is near the limit. */
function memoryOf({ figures, memoryHeldBytes }: LiveBox, { memoryPercent }: Thresholds): Cause | null {
  const limit = figures[F.memoryLimitBytes]!;
  const used = Number.isNaN(memoryHeldBytes)
    ? figures[F.memoryBytes]!
    : Math.min(memoryHeldBytes, figures[F.memoryBytes]!);
  if (memoryPercent === 0 || !(used >= (limit * memoryPercent) / 100)) return null;
  return {
    alert: 'memory_near_limit',
    text: `memory is at ${percent(used / limit)} of its limit of ${amount(limit, 'bytes')}`,
  };
}

function timeOf(figures: Float64Array, { timePercent }: Thresholds): Cause | null {
  const [elapsed, limit] = [figures[F.elapsedMs]!, figures[F.timeLimitMs]!];
  if (timePercent === 0 || !(elapsed >= (limit * timePercent) / 100)) return null;
  return {
    alert: 'time_nearly_over',
    text: `${percent(elapsed / limit)} of the time limit of ${duration(limit)} is used`,
  };
}

/**
 * Judges the use of CPUs at the end of each window.
 * @param window of the last call; undefined for the first
 * @returns the window to keep, and a cause
 */
export function idleOf(
  box: LiveBox,
  window: CpuWindow | undefined,
  { cpuPercent, cpuWindowMs }: Thresholds,
): { readonly window: CpuWindow; readonly cause: Cause | null } {
  const { figures } = box;
  const now = { atMs: figures[F.atMs]!, cpuUsec: figures[F.cpuUsec]! };
  if (window === undefined || box.state === 'suspended') return { window: now, cause: null };
  const spanMs = now.atMs - window.atMs;
  if (!(spanMs >= cpuWindowMs) || spanMs === 0) return { window, cause: null };
  const cores = figures[F.cpuLimitMilliCores]! / 1e3;
  const share = (now.cpuUsec - window.cpuUsec) / 1e3 / spanMs / cores;
  if (cpuPercent === 0 || !(share < cpuPercent / 100)) return { window: now, cause: null };
  const text = `used ${percent(share)} of its ${cores} CPUs over ${duration(spanMs)}`;
  return { window: now, cause: { alert: 'cpu_idle', text } };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
