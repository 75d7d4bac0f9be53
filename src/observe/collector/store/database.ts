/**
 * The little that the store asks of a database, so that the same statements run on SQLite and PostgreSQL. Statements use `?` for
 * parameters; every foreign text is a parameter, never a part of a statement.
 */

export type Value = string | number | Uint8Array | null;
export type Row = Readonly<Record<string, Value>>;

export interface Queries {
  /** @throws DatabaseError */
  all(sql: string, values?: readonly Value[]): Promise<Row[]>;
  run(sql: string, values?: readonly Value[]): Promise<void>;
}

export interface Database extends Queries {
  /**
   * The tables of one week, which are dropped together.
   * @param week as `weekOf` writes it
   */
  week(kind: WeekKind, week: string): Promise<Queries & Batching>;
  /** Weeks that have tables, the oldest first. */
  weeks(kind: WeekKind): Promise<string[]>;
  dropWeek(kind: WeekKind, week: string): Promise<void>;
  /** Runs the statements of `work` as one transaction on the main tables. */
  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Work that is due from time to time, such as a checkpoint of SQLite's log. */
  maintain(): Promise<void>;
  /** It can write no more, and another collector may: open it anew, and read what it has. */
  readonly isLost: boolean;
  /** Bytes on disk. @throws DatabaseError, EnvironmentError */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Tables of a week: chunks of time lines, and events. */
export type WeekKind = 'series' | 'events';

export interface Batching {
  /** Writes many rows as one transaction; a row whose key is there already takes the place of that row, or is left out. */
  insert(rows: readonly (readonly Value[])[]): Promise<void>;
}

/** A database that could not do what was asked: its disk is full, it is not there, ... The message says so to people. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** Monday of the week, `20261130`, as a part of names of tables and files. */
export function weekOf(ms: number): string {
  const date = new Date(ms);
  const sinceMonday = (date.getUTCDay() + 6) % 7;
  const monday = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() - sinceMonday));
  return monday.toISOString().slice(0, 10).replaceAll('-', '');
}

/** @returns when the week ended, ms since the epoch */
export function endOfWeek(week: string): number {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(week)!;
  return Date.UTC(Number(year), Number(month) - 1, Number(day) + 7);
}

/** A name of `weekOf`, and nothing that could be anything else in a statement or a path. */
export function isWeek(text: string): boolean {
  return /^\d{8}$/.test(text);
}
