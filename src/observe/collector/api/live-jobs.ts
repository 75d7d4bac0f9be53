import type { EventView } from '../../model/api.js';
import type { Observed } from '../../model/observed.js';
import type { LiveBox } from '../live/box.js';
import { F, POINT_WIDTH } from '../live/figures.js';
import { rowOf } from '../live/row.js';
import { seriesOf } from '../store/timeline.js';
import type { EventStream } from './sse.js';

/** Streams for those who look at one box or one job: rows, points and events as they come. */

const TICK_MS = 1_000;
/** Boxes of a job whose points are sent. */
const POINTS_BOXES_MAX = 64;
/** Points and events that gather for a client that does not read. */
const GATHERED_MAX = 2_000;

interface Watcher {
  readonly stream: EventStream;
  /** `box`: one row an event. `job`: lists. */
  readonly kind: 'box' | 'job';
  readonly isVisible: (box: LiveBox) => boolean;
  readonly changed: Set<LiveBox>;
  readonly points: Map<string, Float64Array[]>;
  /** The point of each box that was sent last: rates begin there. */
  readonly before: Map<string, Float64Array>;
  readonly events: EventView[];
}

export class LiveJobs {
  readonly #byKey = new Map<string, Set<Watcher>>();
  readonly #all = new Set<Watcher>();
  readonly #nowMs: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  get watchers(): number {
    return this.#all.size;
  }

  /**
   * @param name id of the box or job; that of an array for all of its tasks
   * @param boxes those that are there now
   * @returns ends it
   */
  watch(
    kind: 'box' | 'job',
    name: string,
    boxes: readonly LiveBox[],
    isVisible: (box: LiveBox) => boolean,
    stream: EventStream,
  ): () => void {
    const watcher: Watcher = {
      stream,
      kind,
      isVisible,
      changed: new Set(boxes),
      points: new Map(),
      before: new Map(boxes.map((box) => [box.identity.box, box.figures.slice(0, POINT_WIDTH)])),
      events: [],
    };
    const key = `${kind} ${name}`;
    const others = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, others.add(watcher));
    this.#all.add(watcher);
    this.#send(watcher);
    this.#timer ??= setInterval(() => this.tick(), TICK_MS);
    return () => {
      others.delete(watcher);
      if (others.size === 0) this.#byKey.delete(key);
      this.#all.delete(watcher);
      if (this.#all.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  /** Takes a message that was applied to its box. */
  take(box: LiveBox, message: Observed): void {
    if (this.#all.size === 0) return;
    const { identity } = box;
    const array = /^(.+?)(?:_\d+|\[\d+\].*)$/.exec(identity.job)?.[1];
    const keys = [`box ${identity.box}`, `job ${identity.job}`, ...(array === undefined ? [] : [`job ${array}`])];
    for (const key of keys) {
      for (const watcher of this.#byKey.get(key) ?? []) if (watcher.isVisible(box)) gather(watcher, box, message);
    }
  }

  tick(): void {
    for (const watcher of this.#all) this.#send(watcher);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { stream } of this.#all) stream.close();
  }

  #send(watcher: Watcher): void {
    const { stream, kind, changed, points, events } = watcher;
    const nowMs = this.#nowMs();
    if (changed.size === 0 || !stream.isReady(nowMs)) return;
    const rows = [...changed].map((box) => rowOf(box, nowMs));
    if (kind === 'box') for (const row of rows) stream.send('row', JSON.stringify(row));
    else stream.send('rows', JSON.stringify(rows));
    const series = [...points].slice(0, POINTS_BOXES_MAX).map(([box, some]) => newPoints(watcher, box, some));
    if (kind === 'box') for (const one of series) stream.send('points', JSON.stringify(one));
    else if (series.length > 0) stream.send('points', JSON.stringify(series));
    for (const event of events) stream.send('event', JSON.stringify(event));
    changed.clear();
    points.clear();
    events.length = 0;
  }
}

function gather(watcher: Watcher, box: LiveBox, message: Observed): void {
  const { points, events } = watcher;
  const { identity } = box;
  watcher.changed.add(box);
  if (message.kind === 'event') {
    const { job, user, host } = identity;
    const { atMs, sequence, event, body, state } = message;
    events.push({ at_ms: atMs, box: identity.box, job, user, host, sequence, event, body: { state, ...body } });
    if (events.length > GATHERED_MAX) events.shift();
    return;
  }
  // A late sample is no news: the time line that was fetched has it, or the next one will.
  if (box.figures[F.sequence] !== message.sequence) return;
  const list = points.get(identity.box) ?? [];
  points.set(identity.box, list);
  list.push(box.figures.slice(0, POINT_WIDTH));
  if (list.length > GATHERED_MAX) list.shift();
}

function newPoints({ before }: Watcher, box: string, some: readonly Float64Array[]) {
  const first = before.get(box);
  const rows = first === undefined || Number.isNaN(first[F.atMs]!) ? [...some] : [first, ...some];
  const flat = new Float64Array(rows.length * POINT_WIDTH);
  for (const [index, row] of rows.entries()) flat.set(row, index * POINT_WIDTH);
  before.set(box, some.at(-1)!);
  const series = seriesOf(box, flat, null, false);
  if (rows.length === some.length) return series;
  const columns = Object.fromEntries(Object.entries(series.columns).map(([name, values]) => [name, values.slice(1)]));
  return { ...series, time_ms: series.time_ms.slice(1), sequence: series.sequence.slice(1), columns };
}
