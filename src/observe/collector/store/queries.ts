import type { AlertView, CommandRecord, EventView } from '../../model/api.js';
import { listAt, objectAt } from '../../model/fields.js';
import type { LiveBox } from '../live/box.js';
import { decodeColumns } from './columns.js';
import { type Database, type Queries, type Row, type Value, weekOf } from './database.js';
import { boxOf } from './kept.js';
import { joinPoints } from './timeline.js';

/** What the API reads of the store. Every statement is bounded. */

export interface HistoryQuery {
  /** Only this user's boxes; null for all. */
  readonly visibleTo: string | null;
  readonly job: string | undefined;
  readonly user: string | undefined;
  readonly host: string | undefined;
  readonly reason: string | undefined;
  /** Beginning of a job, user, host or box. */
  readonly prefix: string | undefined;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly after: Cursor | undefined;
  readonly limit: number;
}

/** The last row of the page before. */
export interface Cursor {
  readonly updatedMs: number;
  readonly box: string;
}

/** Boxes whose names are looked through for a prefix. */
const PREFIX_MAX = 5_000;
/** Boxes of one job. */
export const JOB_BOXES_MAX = 5_000;
const LAST_CHARACTER = '\u{10ffff}';

export async function history(database: Database, query: HistoryQuery): Promise<LiveBox[]> {
  const { visibleTo, job, user, host, reason, prefix, fromMs, toMs, after, limit } = query;
  const where: string[] = [];
  const values: Value[] = [];
  const and = (sql: string, ...more: Value[]) => {
    where.push(sql);
    values.push(...more);
  };
  if (visibleTo !== null) and('"user" = ?', visibleTo);
  if (user !== undefined) and('"user" = ?', user);
  if (job !== undefined) and('(job = ? OR job_array = ?)', job, job);
  if (host !== undefined) and('host = ?', host);
  if (reason !== undefined) and('reason = ?', reason);
  if (fromMs !== undefined) and('updated_ms >= ?', fromMs);
  if (toMs !== undefined) and('updated_ms <= ?', toMs);
  if (after !== undefined)
    and('(updated_ms < ? OR (updated_ms = ? AND box < ?))', after.updatedMs, after.updatedMs, after.box);
  if (prefix !== undefined) {
    const names = ['job', '"user"', 'host', 'box'];
    const parts = names.map(
      (name) => `SELECT * FROM (SELECT box FROM box WHERE ${name} >= ? AND ${name} < ? LIMIT ${PREFIX_MAX}) AS by_name`,
    );
    and(`box IN (${parts.join(' UNION ')})`, ...names.flatMap(() => [prefix, prefix + LAST_CHARACTER]));
  }
  const rows = await database.all(
    `SELECT * FROM box ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY updated_ms DESC, box DESC LIMIT ?`,
    [...values, limit],
  );
  return boxesOf(rows);
}

/** The boxes of a job; of an array's own id, those of all its tasks. The latest first. */
export async function jobBoxes(database: Database, job: string): Promise<LiveBox[]> {
  const rows = await database.all('SELECT * FROM box WHERE job = ? OR job_array = ? ORDER BY updated_ms DESC LIMIT ?', [
    job,
    job,
    JOB_BOXES_MAX,
  ]);
  return boxesOf(rows);
}

/** Boxes by their ids; those that the store does not have are left out. */
export async function boxesById(queries: Queries, ids: readonly string[]): Promise<LiveBox[]> {
  const found: LiveBox[] = [];
  await inParts(ids, async (some, places) => {
    found.push(...boxesOf(await queries.all(`SELECT * FROM box WHERE box IN (${places})`, some)));
  });
  return found;
}

/** Rows that no collector has written are left out. */
export function boxesOf(rows: readonly Row[]): LiveBox[] {
  return rows.flatMap((row) => boxOf(row) ?? []);
}

/** Events of boxes, the oldest first. */
export async function eventsOf(
  database: Database,
  boxes: readonly LiveBox[],
  afterSequence: number,
  limit: number,
): Promise<EventView[]> {
  const byId = new Map(boxes.map((box) => [box.identity.box, box]));
  const found: EventView[] = [];
  for (const week of await weeksOf(database, 'events', boxes)) {
    const table = await database.week('events', week);
    await inParts([...byId.keys()], async (some, places) => {
      const rows = await table.all(
        `SELECT box, sequence, at_ms, event, body FROM events_${week} WHERE box IN (${places}) AND sequence > ?
         ORDER BY at_ms, sequence LIMIT ?`,
        [...some, afterSequence, limit],
      );
      for (const row of rows) found.push(eventView(byId.get(String(row['box']))!, row));
    });
  }
  found.sort((one, other) => one.at_ms - other.at_ms || one.sequence - other.sequence);
  return found.slice(0, limit);
}

function eventView({ identity }: LiveBox, row: Row): EventView {
  return {
    at_ms: Number(row['at_ms']),
    box: identity.box,
    job: identity.job,
    user: identity.user,
    host: identity.host,
    sequence: Number(row['sequence']),
    event: String(row['event']),
    body: objectAt(JSON.parse(String(row['body']))),
  };
}

/** The time line of a box as it is in the store, and in memory. */
export async function pointsOf(database: Database, box: LiveBox): Promise<{ points: Float64Array; thinned: boolean }> {
  const id = box.identity.box;
  const parts: Float64Array[] = [];
  const [thin] = await database.all('SELECT weeks, body FROM thin WHERE box = ?', [id]);
  const thinWeeks = String(thin?.['weeks'] ?? '').split(' ');
  if (thin !== undefined) parts.push(decodeColumns(thin['body'] as Uint8Array).rows);
  for (const week of await weeksOf(database, 'series', [box])) {
    if (thinWeeks.includes(week)) continue;
    const table = await database.week('series', week);
    const rows = await table.all(`SELECT body FROM series_${week} WHERE box = ? ORDER BY first_sequence`, [id]);
    for (const { body } of rows) parts.push(decodeColumns(body as Uint8Array).rows);
  }
  // A copy: the box goes on.
  parts.push(Float64Array.from(box.points.rows));
  return { points: joinPoints(parts), thinned: thin !== undefined };
}

/** Weeks in which these boxes may have written. */
async function weeksOf(database: Database, kind: 'series' | 'events', boxes: readonly LiveBox[]): Promise<string[]> {
  if (boxes.length === 0) return [];
  const first = weekOf(boxes.reduce((least, { firstMs }) => Math.min(least, firstMs), Number.POSITIVE_INFINITY));
  const last = weekOf(boxes.reduce((most, { receivedMs }) => Math.max(most, receivedMs), 0));
  return (await database.weeks(kind)).filter((week) => week >= first && week <= last);
}

export async function commands(database: Database, visibleTo: string | null, limit: number): Promise<CommandRecord[]> {
  const rows = await database.all(
    `SELECT * FROM command ${visibleTo === null ? '' : 'WHERE "user" = ?'} ORDER BY at_ms DESC, id LIMIT ?`,
    visibleTo === null ? [limit] : [visibleTo, limit],
  );
  return rows.map((row) => ({
    id: String(row['id']),
    at_ms: Number(row['at_ms']),
    user: String(row['user']),
    command: String(row['command']),
    arguments: listAt(JSON.parse(String(row['arguments'])), 16).map(String),
    target: objectAt(JSON.parse(String(row['target']))) as Record<string, string>,
    outcome: String(row['outcome']) as CommandRecord['outcome'],
    answers: Number(row['answers']),
    refused: Number(row['refused']),
  }));
}

export async function recordCommand(database: Database, record: CommandRecord): Promise<void> {
  await database.run(
    `INSERT INTO command (id, at_ms, "user", command, arguments, target, outcome, answers, refused) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, answers = excluded.answers, refused = excluded.refused`,
    [
      record.id,
      record.at_ms,
      record.user,
      record.command,
      JSON.stringify(record.arguments),
      JSON.stringify(record.target),
      record.outcome,
      record.answers,
      record.refused,
    ],
  );
}

export async function alerts(database: Database, visibleTo: string | null, limit: number): Promise<AlertView[]> {
  const rows = await database.all(
    `SELECT * FROM alert ${visibleTo === null ? '' : 'WHERE "user" = ?'} ORDER BY at_ms DESC, job_key LIMIT ?`,
    visibleTo === null ? [limit] : [visibleTo, limit],
  );
  return rows.map((row) => ({
    at_ms: Number(row['at_ms']),
    alert: String(row['alert']) as AlertView['alert'],
    job: String(row['job']),
    cluster: row['cluster'] === null ? null : String(row['cluster']),
    user: String(row['user']),
    host: String(row['host']),
    box: String(row['box']),
    text: String(row['detail']),
  }));
}

/** Boxes asked for in one statement. */
const IDS_PER_QUERY = 500;

async function inParts(
  ids: readonly string[],
  ask: (some: readonly Value[], places: string) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < ids.length; at += IDS_PER_QUERY) {
    const some = ids.slice(at, at + IDS_PER_QUERY);
    await ask(some, some.map(() => '?').join(', '));
  }
}
