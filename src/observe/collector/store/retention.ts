import { POINT_WIDTH } from '../live/figures.js';
import { decodeColumns, encodeColumns } from './columns.js';
import { type Database, endOfWeek } from './database.js';
import { joinPoints, thin } from './timeline.js';

/**
 * Deletes what is older than it is kept. Time lines of a whole week go at once, after each was thinned; what is deleted by rows
 * goes in small parts. Between the parts others have their turn, so that nothing here holds up a commit for long.
 */

/** Points of a time line that is thinned. */
export const THIN_POINTS = 240;
const BOXES_PER_STEP = 25;
const ROWS_PER_STEP = 500;

export interface Keep {
  readonly fullMs: number;
  readonly thinMs: number;
}

/** @param isClosed whether to stop. @returns how many weeks were dropped */
export async function applyRetention(
  database: Database,
  keep: Keep,
  nowMs: number,
  isClosed: () => boolean,
): Promise<number> {
  let dropped = 0;
  for (const week of await database.weeks('series')) {
    if (endOfWeek(week) > nowMs - keep.fullMs) break;
    await thinWeek(database, week, isClosed);
    if (isClosed()) return dropped;
    await database.dropWeek('series', week);
    dropped++;
  }
  for (const week of await database.weeks('events')) {
    if (endOfWeek(week) > nowMs - keep.thinMs) break;
    await database.dropWeek('events', week);
    dropped++;
  }
  const before = Math.round(nowMs - keep.thinMs);
  for (const [table, key, time] of [
    ['thin', 'box', 'updated_ms'],
    ['command', 'id', 'at_ms'],
    ['alert', 'job_key', 'at_ms'],
  ] as const) {
    await deleteOld(database, table, key, time, before, isClosed);
  }
  return dropped;
}

/** Puts the thinned points of a week's time lines into the table `thin`. Doing it again changes nothing. */
async function thinWeek(database: Database, week: string, isClosed: () => boolean): Promise<void> {
  const table = await database.week('series', week);
  for (let last = ''; !isClosed(); ) {
    const rows = await table.all(`SELECT DISTINCT box FROM series_${week} WHERE box > ? ORDER BY box LIMIT ?`, [
      last,
      BOXES_PER_STEP,
    ]);
    const boxes = rows.map(({ box }) => String(box));
    if (boxes.length === 0) return;
    for (const box of boxes) {
      const chunks = await table.all(`SELECT body FROM series_${week} WHERE box = ?`, [box]);
      await addThinned(
        database,
        box,
        week,
        chunks.map(({ body }) => decodeColumns(body as Uint8Array).rows),
      );
    }
    last = boxes.at(-1)!;
    await new Promise(setImmediate);
  }
}

async function addThinned(
  database: Database,
  box: string,
  week: string,
  chunks: readonly Float64Array[],
): Promise<void> {
  const [known] = await database.all('SELECT weeks, body FROM thin WHERE box = ?', [box]);
  const weeks = known === undefined ? [] : String(known['weeks']).split(' ');
  if (weeks.includes(week)) return;
  const before = known === undefined ? [] : [decodeColumns(known['body'] as Uint8Array).rows];
  const body = encodeColumns(Float64Array.from(thin(joinPoints([...before, ...chunks]), THIN_POINTS)), POINT_WIDTH);
  await database.run(
    `INSERT INTO thin (box, updated_ms, weeks, body) VALUES (?, ?, ?, ?)
     ON CONFLICT (box) DO UPDATE SET updated_ms = excluded.updated_ms, weeks = excluded.weeks, body = excluded.body`,
    [box, endOfWeek(week), [...weeks, week].join(' '), body],
  );
}

async function deleteOld(
  database: Database,
  table: string,
  key: string,
  time: string,
  before: number,
  isClosed: () => boolean,
): Promise<void> {
  while (!isClosed()) {
    const rows = await database.all(`SELECT ${key} AS one FROM ${table} WHERE ${time} < ? LIMIT 1`, [before]);
    if (rows.length === 0) return;
    await database.run(
      `DELETE FROM ${table} WHERE ${time} < ? AND ${key} IN (SELECT ${key} FROM ${table} WHERE ${time} < ? LIMIT ${ROWS_PER_STEP})`,
      [before, before],
    );
    await new Promise(setImmediate);
  }
}
