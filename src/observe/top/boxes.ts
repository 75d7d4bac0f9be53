import { parseMessage } from '../model/parse.js';
import { readAnswer } from '../source/answer.js';
import type { TopRow } from './row.js';
import { answered, heard, type Tracked } from './tracked.js';

/** Every box that a message or an answer has told of, until it has ended or fallen silent. */

/** A message that is older, such as one from a spool, tells of the past. */
const OLD_MS = 10 * 60_000;
/** Samples that may be missing before a box counts as silent, and the least time. */
const MISSED = 3;
const SILENT_LEAST_MS = 15_000;
/** Of a box whose interval is not known: the default of `--sint`. */
const USUAL_INTERVAL_MS = 60_000;
/** A silent box is forgotten after this many times the time in which it became silent. */
const FORGOTTEN = 10;
/** Bounds memory against a flood of invented boxes. */
const BOXES_MAX = 200_000;

export interface BoxesOptions {
  /** How long an ended box stays in the table. */
  readonly keepEndedMs: number;
  /** ms of a monotonic clock. @default performance.now */
  readonly nowMs?: () => number;
  /** ms since the epoch. @default Date.now */
  readonly wallMs?: () => number;
}

export class Boxes {
  readonly #boxes = new Map<string, Tracked>();
  readonly #keepEndedMs: number;
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;
  /** Messages that were none of a box. */
  unreadable = 0;

  constructor({ keepEndedMs, nowMs = () => performance.now(), wallMs = Date.now }: BoxesOptions) {
    this.#keepEndedMs = keepEndedMs;
    this.#nowMs = nowMs;
    this.#wallMs = wallMs;
  }

  /** @param body of a sample or an event */
  message(body: Buffer): void {
    const message = parseMessage(body);
    if (message.kind === 'unreadable') {
      this.unreadable++;
      return;
    }
    const { box } = message.identity;
    const before = this.#boxes.get(box);
    if (before === undefined && (this.#wallMs() - message.atMs > OLD_MS || this.#boxes.size >= BOXES_MAX)) return;
    const after = heard(before, message, this.#nowMs());
    if (after !== before) this.#boxes.set(box, after);
  }

  /** @param text of an answer to `status`. @returns whether it told of a box */
  answer(text: string): boolean {
    const answer = readAnswer(text);
    if (answer === undefined || answer.identity === null) return false;
    const { identity, result, sample } = answer;
    const before = this.#boxes.get(identity.box);
    if (before === undefined && this.#boxes.size >= BOXES_MAX) return false;
    this.#boxes.set(identity.box, answered(before, identity, result, sample, this.#nowMs()));
    return true;
  }

  get(box: string): Tracked | undefined {
    return this.#boxes.get(box);
  }

  /** What the table shows now. Forgets boxes whose time in it is over. */
  rows(): TopRow[] {
    const nowMs = this.#nowMs();
    const rows: TopRow[] = [];
    for (const [id, box] of this.#boxes) {
      const ageMs = nowMs - box.heardMs;
      const silentMs = box.intervalMs === 0 ? Number.POSITIVE_INFINITY : silentAfterMs(box);
      const ended = box.state === 'ended';
      if (ended ? ageMs > this.#keepEndedMs : ageMs > FORGOTTEN * silentMs) this.#boxes.delete(id);
      else rows.push(rowOf(box, nowMs, !ended && ageMs > silentMs));
    }
    return rows;
  }
}

function silentAfterMs({ intervalMs }: Tracked): number {
  return Math.max(SILENT_LEAST_MS, MISSED * (intervalMs ?? USUAL_INTERVAL_MS));
}

export function rowOf(box: Tracked, nowMs: number, silent: boolean): TopRow {
  const { identity, state, sample } = box;
  const ended = state === 'ended';
  const own = sample?.pressureScope === 'cgroup' ? sample.pressure : null;
  return {
    box: identity.box,
    job: identity.job,
    step: identity.step,
    task: identity.task,
    user: identity.user,
    host: identity.host,
    cluster: identity.cluster,
    queue: identity.queue,
    state: silent ? 'silent' : state,
    cpu_percent: ended ? 0 : (sample?.cpuPercent ?? null),
    cpu_limit: sample?.cpuLimitCores ?? null,
    memory: sample?.rssBytes ?? null,
    memory_peak: sample?.rssPeakBytes ?? null,
    memory_limit: sample?.memoryLimitBytes ?? null,
    read_rate: ended ? 0 : box.readRate,
    write_rate: ended ? 0 : box.writeRate,
    pressure_cpu: own?.cpu?.someAvg10 ?? null,
    pressure_memory: own?.memory?.someAvg10 ?? null,
    pressure_io: own?.io?.someAvg10 ?? null,
    used_ms: usedMs(box, nowMs, ended || silent),
    limit_ms: sample?.timeLimitMs ?? null,
    processes: sample?.processes ?? null,
    oom_kills: sample?.oomKills ?? null,
    throttled_ms: sample?.throttledMs ?? null,
    command: box.command,
    age_ms: Math.round(nowMs - box.heardMs),
  };
}

/** The timer goes on between two samples. */
function usedMs({ sample, sampledMs, state }: Tracked, nowMs: number, stands: boolean): number | null {
  if (sample === null || sample.elapsedMs === null) return null;
  const counts = !stands && sample.timerRunning && state !== 'suspended';
  return Math.round(sample.elapsedMs + (counts ? nowMs - sampledMs : 0));
}
