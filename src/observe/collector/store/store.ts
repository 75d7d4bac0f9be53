import type { LiveBox } from '../live/box.js';
import { F, POINT_WIDTH } from '../live/figures.js';
import { encodeColumns } from './columns.js';
import { type Database, DatabaseError, weekOf } from './database.js';
import { decodeRecord, encodeRecord, type JournalRecord } from './journal.js';
import { UPSERT_BOX, valuesOf } from './kept.js';
import { boxesById, boxesOf } from './queries.js';
import { SCHEMA_VERSION } from './schema.js';

/**
 * What the collector writes, and how it finds it again when it starts. A commit first writes the tables of the week and then, in
 * one transaction, the rows of boxes and the journal. If the process dies in between, nothing was acknowledged: the messages come
 * again, and writing the same rows again changes nothing.
 */

/** An event that is kept with its text. */
export interface StoredEvent {
  readonly box: string;
  readonly sequence: number;
  readonly atMs: number;
  readonly event: string;
  /** JSON. */
  readonly body: string;
}

/** Points of a box that become a chunk. */
export interface Chunk {
  readonly box: string;
  /** Rows of POINT_WIDTH numbers. */
  readonly points: Float64Array;
}

export interface Commit extends JournalRecord {
  /** Number of the journal's record; higher than any before. */
  readonly id: number;
  readonly nowMs: number;
  /** Boxes whose rows change. */
  readonly boxes: readonly LiveBox[];
  readonly stored: readonly StoredEvent[];
  readonly chunks: readonly Chunk[];
  /** Records below this number are in chunks, and go. */
  readonly journalFrom: number;
}

export interface Loaded {
  /** Boxes that have not ended, or have lately, as they were at their last message. */
  readonly boxes: LiveBox[];
  /** Number of the record with the oldest point of each box that is in no chunk, in this order. */
  readonly unflushed: ReadonlyMap<string, number>;
  /** Highest number of a record so far. */
  readonly lastId: number;
}

export class Store {
  readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** @throws DatabaseError if a later collector has made the store */
  async prepare(): Promise<void> {
    await this.database.run(`INSERT INTO meta (name, value) VALUES ('schema', ?) ON CONFLICT (name) DO NOTHING`, [
      String(SCHEMA_VERSION),
    ]);
    const [row] = await this.database.all(`SELECT value FROM meta WHERE name = 'schema'`);
    if (Number(row?.['value']) > SCHEMA_VERSION)
      throw new DatabaseError(
        `the store has version ${row?.['value']}, but this collector supports ${SCHEMA_VERSION}: update proc_box`,
      );
  }

  async commit(commit: Commit): Promise<void> {
    const { id, nowMs, boxes, stored, chunks, samples, events, journalFrom } = commit;
    const week = weekOf(nowMs);
    if (stored.length > 0) {
      const table = await this.database.week('events', week);
      await table.insert(
        stored.map(({ box, sequence, atMs, event, body }) => [box, sequence, Math.round(atMs), event, body]),
      );
    }
    if (chunks.length > 0) {
      const table = await this.database.week('series', week);
      await table.insert(
        chunks.map(({ box, points }) => [box, points[F.sequence]!, encodeColumns(points, POINT_WIDTH)]),
      );
    }
    await this.database.transaction(async (queries) => {
      for (const box of boxes) await queries.run(UPSERT_BOX, valuesOf(box));
      const body = encodeRecord({ samples, events });
      await queries.run('INSERT INTO journal (id, at_ms, body) VALUES (?, ?, ?)', [id, Math.round(nowMs), body]);
      // The newest record stays in any case: it tells the next collector which number comes next.
      await queries.run('DELETE FROM journal WHERE id < ?', [Math.min(id, journalFrom)]);
    });
  }

  /**
   * What the collector before had in memory.
   * @param keepMs how long ended boxes stay in memory
   * @param resolutionMs as for Points
   */
  async load(nowMs: number, keepMs: number, resolutionMs: number): Promise<Loaded> {
    const rows = await this.database.all('SELECT * FROM box WHERE ended_ms IS NULL OR received_ms >= ?', [
      Math.round(nowMs - keepMs),
    ]);
    const boxes = new Map(boxesOf(rows).map((box) => [box.identity.box, box]));
    const records = await this.#journal(boxes);
    const unflushed = new Map<string, number>();
    for (const { id, record } of records) {
      for (const { box: name, figures } of record.samples) {
        const box = boxes.get(name);
        if (box === undefined) continue;
        if (box.seen.add(figures[F.sequence]!)) box.record(figures);
        if (id <= box.flushedId) continue;
        box.points.add(figures, resolutionMs);
        if (!unflushed.has(name)) unflushed.set(name, id);
      }
      for (const { box, sequence } of record.events) boxes.get(box)?.seen.add(sequence);
    }
    return { boxes: [...boxes.values()], unflushed, lastId: records.at(-1)?.id ?? 0 };
  }

  /** Reads the journal, and the boxes that only it names. */
  async #journal(boxes: Map<string, LiveBox>) {
    const rows = await this.database.all('SELECT id, body FROM journal ORDER BY id');
    const records = rows.map(({ id, body }) => ({ id: Number(id), record: decodeRecord(body as Uint8Array) }));
    const named = new Set(records.flatMap(({ record }) => record.samples.map(({ box }) => box)));
    const missing = [...named].filter((box) => !boxes.has(box));
    for (const box of await this.find(missing)) boxes.set(box.identity.box, box);
    return records;
  }

  /** Boxes of the store by their ids; those that it does not have are left out. */
  find(ids: readonly string[]): Promise<LiveBox[]> {
    return boxesById(this.database, ids);
  }
}
