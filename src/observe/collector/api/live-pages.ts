import type { BoxPage, BoxPageDelta, BoxRow, BoxTotals } from '../../model/api.js';
import type { LiveBox } from '../live/box.js';
import type { Boxes } from '../live/boxes.js';
import { rowOf, totalsOf } from '../live/row.js';
import { filterBoxes, sortedPart } from '../live/table.js';
import type { TableQuery } from './query.js';
import type { EventStream } from './sse.js';

/**
 * The live table. Many may look at the same part of it, and many parts show the same boxes, so a part and a row are made once for
 * each moment, whoever asks.
 */

/** How long a part holds. */
export const MOMENT_MS = 1_000;
const PARTS_MAX = 256;

interface Part {
  readonly atMs: number;
  readonly matching: number;
  readonly totals: BoxTotals;
  readonly boxes: readonly LiveBox[];
}

interface Watcher {
  readonly stream: EventStream;
  readonly query: TableQuery;
  /** JSON of each row as it was sent. */
  sent: Map<string, string>;
  /** JSON of what else was sent. */
  head: string;
}

export class LivePages {
  readonly #boxes: Boxes;
  readonly #nowMs: () => number;
  readonly #parts = new Map<string, Part>();
  #texts = new Map<string, string>();
  readonly #watchers = new Set<Watcher>();
  #timer: NodeJS.Timeout | undefined;

  constructor(boxes: Boxes, nowMs: () => number = Date.now) {
    this.#boxes = boxes;
    this.#nowMs = nowMs;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  page(query: TableQuery): BoxPage {
    const part = this.#part(query);
    const rows = part.boxes.map((box) => rowOf(box, part.atMs));
    return { at_ms: part.atMs, matching: part.matching, offset: query.offset, totals: part.totals, rows };
  }

  /** @returns ends it */
  watch(query: TableQuery, stream: EventStream): () => void {
    const watcher: Watcher = { stream, query, sent: new Map(), head: '' };
    this.#watchers.add(watcher);
    this.#update(watcher);
    this.#timer ??= setInterval(() => this.tick(), MOMENT_MS);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#texts.clear();
    };
  }

  /** Sends what has changed. */
  tick(): void {
    this.#parts.clear();
    this.#texts = new Map();
    for (const watcher of this.#watchers) this.#update(watcher);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { stream } of this.#watchers) stream.close();
  }

  #update(watcher: Watcher): void {
    const { stream, query, sent } = watcher;
    if (!stream.isReady(this.#nowMs())) return;
    const part = this.#part(query);
    const texts = new Map(part.boxes.map((box) => [box.identity.box, this.#text(box, part.atMs)]));
    const changed = [...texts].filter(([box, text]) => sent.get(box) !== text).map(([, text]) => text);
    const { matching, totals } = part;
    const order = [...texts.keys()];
    const head = JSON.stringify({ matching, totals, order });
    if (changed.length === 0 && head === watcher.head) return;
    watcher.sent = texts;
    watcher.head = head;
    const begin: Omit<BoxPageDelta, 'rows'> = { at_ms: part.atMs, offset: query.offset, matching, totals, order };
    stream.send('page', `${JSON.stringify(begin).slice(0, -1)},"rows":[${changed.join(',')}]}`);
  }

  #text(box: LiveBox, nowMs: number): string {
    const id = box.identity.box;
    const known = this.#texts.get(id);
    if (known !== undefined) return known;
    const row: BoxRow = rowOf(box, nowMs);
    const text = JSON.stringify(row);
    this.#texts.set(id, text);
    return text;
  }

  #part({ filter, order, offset, limit }: TableQuery): Part {
    const nowMs = this.#nowMs();
    const key = JSON.stringify([
      { ...filter, states: filter.states && [...filter.states].sort() },
      order,
      offset,
      limit,
    ]);
    const known = this.#parts.get(key);
    if (known !== undefined && nowMs - known.atMs < MOMENT_MS) return known;
    const matching = filterBoxes(this.#candidates(filter), filter, nowMs);
    const part = {
      atMs: nowMs,
      matching: matching.length,
      totals: totalsOf(matching, nowMs),
      boxes: sortedPart(matching, order, offset, limit),
    };
    if (this.#parts.size >= PARTS_MAX) this.#parts.clear();
    this.#parts.set(key, part);
    return part;
  }

  #candidates({ visibleTo, user, host }: TableQuery['filter']): Iterable<LiveBox> {
    if (visibleTo !== null) return this.#boxes.ofUser(visibleTo);
    if (user !== undefined) return this.#boxes.ofUser(user);
    return host !== undefined ? this.#boxes.ofHost(host) : this.#boxes.all();
  }
}
