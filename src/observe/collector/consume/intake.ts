import type { Logger } from '../../../log.js';
import type { Observed, ObservedEvent } from '../../model/observed.js';
import { parseMessage } from '../../model/parse.js';
import { EVENTS_MAX, LiveBox } from '../live/box.js';
import type { Boxes } from '../live/boxes.js';
import { CHUNK_POINTS } from '../live/points.js';
import { DatabaseError } from '../store/database.js';
import type { Chunk, Commit, Loaded, Store, StoredEvent } from '../store/store.js';

/**
 * From messages to the store. Messages gather while a commit runs; the next commit takes them all. A message is acknowledged once
 * the commit that holds it, and so every one before it, is on disk. If the store fails, the same commit is tried again, nothing
 * more is acknowledged, and the broker stops sending when its prefetch is used up: boxes notice nothing.
 */

export interface Delivered {
  readonly body: Buffer;
  /** Acknowledges this message and every one before it. Does nothing once its channel has gone. */
  readonly ack: () => void;
}

export interface IntakeOptions {
  readonly store: Store;
  readonly boxes: Boxes;
  readonly loaded: Loaded;
  readonly resolutionMs: number;
  readonly log: Logger;
  /** Called for each message that is new, after it was applied. `body` is the message as it was published. */
  readonly onMessage?: (box: LiveBox, message: Observed, body: Buffer) => void;
  /** Called after a commit, with the boxes that it has changed. */
  readonly onCommit?: (changed: ReadonlySet<LiveBox>) => void;
  /** The store is out of order, or in order again. */
  readonly onStore?: (problem: string | null) => void;
  /** @default Date.now */
  readonly nowMs?: () => number;
}

export interface IntakeCounts {
  samples: number;
  events: number;
  /** Messages that were in the store already. */
  duplicates: number;
  /** Events that are not kept because their box has too many. */
  eventsNotKept: number;
  commits: number;
  commitErrors: number;
  /** Of the last commit. */
  commitSeconds: number;
  /** Refused messages by reason. */
  readonly refused: Record<string, number>;
}

/** Messages in one commit. */
const BATCH_MAX = 2_000;
/** A commit takes what has come in this time, so that few messages do not make many commits. */
const GATHER_MS = 100;
/** A point is in a chunk after this time, so that the journal stays short. */
const UNFLUSHED_MAX_MS = 600_000;
/** Chunks of one commit that are due for their age. */
const AGED_PER_COMMIT = 200;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 15_000;

interface Held {
  readonly message: Observed | null;
  readonly body: Buffer;
  readonly ack: () => void;
}

export class Intake {
  readonly counts: IntakeCounts = {
    samples: 0,
    events: 0,
    duplicates: 0,
    eventsNotKept: 0,
    commits: 0,
    commitErrors: 0,
    commitSeconds: 0,
    refused: {},
  };
  readonly #options: IntakeOptions;
  readonly #nowMs: () => number;
  /** Of boxes with points in no chunk: the commit and time of the oldest one. The oldest box comes first. */
  readonly #unflushed = new Map<string, { readonly id: number; readonly atMs: number }>();
  #held: Held[] = [];
  #lastId: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | null = null;
  #closed = false;
  #isEnding = false;
  #wake: (() => void) | null = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    const { boxes, loaded } = options;
    this.#lastId = loaded.lastId;
    for (const box of loaded.boxes) boxes.add(box);
    for (const [box, id] of loaded.unflushed) this.#unflushed.set(box, { id, atMs: this.#nowMs() });
  }

  /** Messages that wait for a commit. */
  get waiting(): number {
    return this.#held.length;
  }

  /** Takes a message. Never throws. */
  take({ body, ack }: Delivered): void {
    if (this.#isEnding) return; // the broker gives it to the next collector
    const message = parseMessage(body);
    if (message.kind === 'unreadable') this.#refuse(message.reason);
    this.#held.push({ message: message.kind === 'unreadable' ? null : message, body, ack });
    this.#soon(GATHER_MS);
  }

  /** Writes what is due for its age, and forgets boxes. Call it from time to time. */
  tick(): void {
    if (this.#aged(1).length > 0) this.#soon(0);
  }

  /** Commits what was taken, and all points; then takes nothing more. Never rejects. @returns whether all is on disk */
  async close(mostMs: number): Promise<boolean> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      this.#closed = true;
      this.#wake?.();
    }, mostMs);
    for (let round = 0; !this.#closed; round++) {
      await this.#running;
      if (this.#closed || (this.#held.length === 0 && round > 0)) break;
      await this.#run();
    }
    const isDone = !this.#closed;
    this.#closed = true;
    clearTimeout(timer);
    return isDone;
  }

  #soon(ms: number): void {
    if (this.#closed || this.#running !== null) return;
    if (this.#held.length >= BATCH_MAX) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      void this.#run();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#run();
    }, ms);
  }

  #run(): Promise<void> {
    this.#running ??= this.#commitOnce().finally(() => {
      this.#running = null;
      if (this.#held.length > 0) this.#soon(GATHER_MS);
      else if (this.#aged(1).length > 0) this.#soon(GATHER_MS);
    });
    return this.#running;
  }

  /** One commit, tried until it succeeds or the intake is closed. Never rejects. */
  async #commitOnce(): Promise<void> {
    const batch = this.#held.splice(0, BATCH_MAX);
    const found = await this.#untilDone(() => this.#findUnknown(batch));
    if (found === undefined) return;
    for (const box of found) if (this.#options.boxes.get(box.identity.box) === undefined) this.#options.boxes.add(box);
    const { commit, changed } = this.#prepare(batch);
    const began = performance.now();
    if ((await this.#untilDone(() => this.#options.store.commit(commit).then(() => true))) === undefined) return;
    this.#lastId = commit.id;
    this.counts.commits++;
    this.counts.commitSeconds = (performance.now() - began) / 1e3;
    for (const { box, points } of commit.chunks) this.#flushed(box, points);
    batch.at(-1)?.ack();
    this.#options.onCommit?.(changed);
  }

  /** Boxes of the store that messages name and memory does not hold. */
  #findUnknown(batch: readonly Held[]): Promise<LiveBox[]> {
    const ids = new Set<string>();
    for (const { message } of batch) {
      if (message !== null && this.#options.boxes.get(message.identity.box) === undefined)
        ids.add(message.identity.box);
    }
    return this.#options.store.find([...ids]);
  }

  #prepare(batch: readonly Held[]): { commit: Commit; changed: Set<LiveBox> } {
    const nowMs = this.#nowMs();
    const id = this.#lastId + 1;
    const changed = new Set<LiveBox>();
    const rows = new Set<LiveBox>();
    const samples: Commit['samples'][number][] = [];
    const events: Commit['events'][number][] = [];
    const stored: StoredEvent[] = [];
    for (const { message, body } of batch) {
      if (message === null) continue;
      const box = this.#boxOf(message, nowMs, rows);
      if (box === null) continue;
      if (!box.seen.add(message.sequence)) {
        this.counts.duplicates++;
        continue;
      }
      const figures = box.apply(message, nowMs);
      changed.add(box);
      if (figures !== null) {
        this.counts.samples++;
        samples.push({ box: message.identity.box, figures });
        box.points.add(figures, this.#options.resolutionMs);
        if (!this.#unflushed.has(message.identity.box)) this.#unflushed.set(message.identity.box, { id, atMs: nowMs });
      } else {
        this.counts.events++;
        rows.add(box);
        events.push({ box: message.identity.box, sequence: message.sequence });
        if (box.events <= EVENTS_MAX) stored.push(toStore(message as ObservedEvent));
        else this.counts.eventsNotKept++;
      }
      this.#options.onMessage?.(box, message, body);
    }
    const chunks = this.#chunks(changed, rows, id);
    const flushing = new Set(chunks.map(({ box }) => box));
    let journalFrom = id;
    for (const [box, { id: oldest }] of this.#unflushed) {
      if (flushing.has(box)) continue;
      journalFrom = oldest;
      break;
    }
    return { commit: { id, nowMs, boxes: [...rows], stored, chunks, samples, events, journalFrom }, changed };
  }

  /** @returns null if the message is not for the box that has this id */
  #boxOf({ identity }: Observed, nowMs: number, rows: Set<LiveBox>): LiveBox | null {
    const known = this.#options.boxes.get(identity.box);
    if (known === undefined) {
      const box = LiveBox.begin(identity, nowMs);
      this.#options.boxes.add(box);
      rows.add(box);
      return box;
    }
    if (known.isOf(identity)) return known;
    this.#refuse('other_identity');
    return null;
  }

  /** Points that become chunks: of boxes that have enough of them or have ended, and the oldest. */
  #chunks(changed: Iterable<LiveBox>, rows: Set<LiveBox>, id: number): Chunk[] {
    const due = new Set<LiveBox>();
    for (const box of changed) if (box.points.count >= CHUNK_POINTS || box.end !== null) due.add(box);
    for (const box of this.#aged(AGED_PER_COMMIT)) due.add(box);
    return [...due].flatMap((box) => {
      if (box.points.count === 0) return [];
      box.flushedId = id;
      rows.add(box);
      return [{ box: box.identity.box, points: Float64Array.from(box.points.rows) }];
    });
  }

  #aged(most: number): LiveBox[] {
    const before = this.#nowMs() - UNFLUSHED_MAX_MS;
    const aged: LiveBox[] = [];
    for (const [id, { atMs }] of this.#unflushed) {
      if (aged.length >= most || atMs > before) break;
      const box = this.#options.boxes.get(id);
      if (box === undefined || box.points.count === 0) this.#unflushed.delete(id);
      else aged.push(box);
    }
    return aged;
  }

  #flushed(id: string, points: Float64Array): void {
    const box = this.#options.boxes.get(id);
    box?.points.remove(points.length / box.points.width);
    this.#unflushed.delete(id);
  }

  #refuse(reason: string): void {
    this.counts.refused[reason] = (this.counts.refused[reason] ?? 0) + 1;
    if (this.counts.refused[reason] === 1) {
      this.#options.log.warn(
        `rejected a message: ${reason.replaceAll('_', ' ')}; further ones of this kind are only counted (proc_box_collector_refused_messages_total)`,
      );
    }
  }

  /** @returns undefined if the intake was closed before the step succeeded */
  async #untilDone<Result>(step: () => Promise<Result>): Promise<Result | undefined> {
    for (let failures = 0; ; failures++) {
      try {
        const result = await step();
        if (failures > 0) this.#options.onStore?.(null);
        return result;
      } catch (error) {
        this.counts.commitErrors++;
        const text = error instanceof DatabaseError ? error.message : String((error as Error).stack);
        if (failures === 0) this.#options.onStore?.(text);
      }
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 10))).unref();
      });
      if (this.#closed) return undefined;
    }
  }
}

function toStore({ identity, sequence, atMs, event, body, state }: ObservedEvent): StoredEvent {
  return { box: identity.box, sequence, atMs, event, body: JSON.stringify({ state, ...body }) };
}
