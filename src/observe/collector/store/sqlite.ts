import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EnvironmentError } from '../../../errors.js';
import { type Batching, type Database, isWeek, type Queries, type Row, type Value, type WeekKind } from './database.js';
import { insertInto, MAIN_TABLES, WEEK_TABLES, weekTable, withTypes } from './schema.js';
import { openFile, problem, SqliteFile } from './sqlite-file.js';
import type { Connect, Connection } from './sqlite-module.js';

/**
 * The embedded store: SQLite files in a folder, `proc_box.db` and two files a week. Files in WAL mode, so that readers do not
 * wait; each transaction is on disk (synchronous=FULL) before its messages are acknowledged. A week is dropped by removing its
 * file, which takes no longer for a large one.
 */

const MAIN = 'proc_box.db';
const LOCK = 'lock.db';
/** Files of weeks that are open at a time. */
const OPEN_MAX = 12;

/**
 * Opens the store, and makes it if there is none.
 * @returns null if another collector has it
 * @throws EnvironmentError if the folder cannot be used
 */
export function openSqlite(folder: string, connect: Connect): Database | null {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new EnvironmentError(
      `--store ${folder}: ${(cause as NodeJS.ErrnoException).code}: create the folder for the user that runs the collector`,
      { cause },
    );
  }
  const lock = takeLock(folder, connect);
  return lock === null ? null : new SqliteDatabase(folder, connect, lock);
}

/** The lock is the kernel's, on a file of its own, so that it goes with the process however that ends. */
function takeLock(folder: string, connect: Connect): Connection | null {
  const lock = openFile(join(folder, LOCK), connect);
  try {
    lock.exec('PRAGMA busy_timeout = 0');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (/locked|busy/i.test(String((error as Error).message))) return null;
    throw problem(error, folder);
  }
}

class SqliteDatabase implements Database {
  /** The lock is a file's, which stays with the process. */
  readonly isLost = false;
  readonly #folder: string;
  readonly #connect: Connect;
  readonly #lock: Connection;
  readonly #main: SqliteFile;
  /** The file that was used last comes last. */
  readonly #parts = new Map<string, SqliteFile>();

  constructor(folder: string, connect: Connect, lock: Connection) {
    this.#folder = folder;
    this.#connect = connect;
    this.#lock = lock;
    try {
      this.#main = new SqliteFile(join(folder, MAIN), connect);
      for (const sql of MAIN_TABLES) this.#main.exec(withTypes(sql, 'sqlite'));
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  all(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.#main.all(sql, values);
  }

  run(sql: string, values: readonly Value[] = []): Promise<void> {
    return this.#main.run(sql, values);
  }

  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result> {
    return this.#main.transaction(work);
  }

  async week(kind: WeekKind, week: string): Promise<Queries & Batching> {
    const part = this.#part(kind, week);
    const sql = insertInto(kind, weekTable(kind, week), 1);
    return {
      all: (text, values) => part.all(text, values),
      run: (text, values) => part.run(text, values),
      insert: (rows) =>
        part.transaction(async () => {
          for (const row of rows) part.runNow(sql, row);
        }),
    };
  }

  #part(kind: WeekKind, week: string): SqliteFile {
    const name = weekTable(kind, week);
    const known = this.#parts.get(name);
    const part = known ?? new SqliteFile(join(this.#folder, `${name}.db`), this.#connect);
    this.#parts.delete(name);
    if (known === undefined)
      for (const sql of WEEK_TABLES[kind].create) part.exec(withTypes(sql, 'sqlite').replace('{table}', name));
    this.#parts.set(name, part);
    if (this.#parts.size > OPEN_MAX) this.#closePart(this.#parts.keys().next().value!);
    return part;
  }

  #closePart(name: string): void {
    this.#parts.get(name)?.close();
    this.#parts.delete(name);
  }

  async weeks(kind: WeekKind): Promise<string[]> {
    return readdirSync(this.#folder)
      .filter((name) => name.startsWith(`${kind}_`) && name.endsWith('.db'))
      .map((name) => name.slice(kind.length + 1, -'.db'.length))
      .filter(isWeek)
      .sort();
  }

  async dropWeek(kind: WeekKind, week: string): Promise<void> {
    const name = weekTable(kind, week);
    this.#closePart(name);
    for (const end of ['.db', '.db-wal', '.db-shm']) rmSync(join(this.#folder, `${name}${end}`), { force: true });
  }

  /** A checkpoint of each log: PASSIVE, so that it waits for nobody. */
  async maintain(): Promise<void> {
    for (const part of [this.#main, ...this.#parts.values()]) part.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  async size(): Promise<number> {
    try {
      return readdirSync(this.#folder).reduce((sum, name) => sum + sizeOf(join(this.#folder, name)), 0);
    } catch (error) {
      throw problem(error, this.#folder);
    }
  }

  async close(): Promise<void> {
    for (const part of [...this.#parts.values(), this.#main]) {
      part.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      part.close();
    }
    this.#parts.clear();
    this.#lock.close();
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
