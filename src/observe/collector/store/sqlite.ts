import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EnvironmentError } from '../../../errors.js';
import {
  type Batching,
  type Database,
  DatabaseError,
  isWeek,
  type Queries,
  type Row,
  type Value,
  type WeekKind,
} from './database.js';
import { InTurn } from './in-turn.js';
import { insertInto, MAIN_TABLES, WEEK_TABLES, weekTable, withTypes } from './schema.js';

/**
 * The embedded store: SQLite files in a folder, `proc_box.db` and two files a week. Files in WAL mode, so that readers do not
 * wait; each transaction is on disk (synchronous=FULL) before its messages are acknowledged. A week is dropped by removing its
 * file, which takes no longer for a large one.
 */

/** What node:sqlite and better-sqlite3 have in common. */
interface Connection {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}
interface Statement {
  all(...values: readonly Value[]): unknown[];
  run(...values: readonly Value[]): unknown;
}

const MAIN = 'proc_box.db';
const LOCK = 'lock.db';
const PREPARED_MAX = 64;
/** Files of weeks that are open at a time. */
const OPEN_MAX = 12;
const CACHE_KB = 16_384;

export type Connect = (path: string) => Connection;

/** @param load finds a module by name, as require() does. @throws EnvironmentError if this Node has no SQLite */
export function sqliteModule(load: (name: string) => unknown): Connect {
  try {
    const { DatabaseSync } = load('node:sqlite') as { DatabaseSync: new (path: string) => Connection };
    return (path) => new DatabaseSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_UNKNOWN_BUILTIN_MODULE') throw error;
  }
  try {
    const Better = load('better-sqlite3') as new (path: string) => Connection;
    // Its native part is loaded with the first database.
    new Better(':memory:').close();
    return (path) => new Better(path);
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND';
    const what = isThere
      ? 'the native part of better-sqlite3 cannot be loaded: run "npm run install" in its folder, below node_modules'
      : 'Node 20 has no built-in SQLite: install it with "npm install -g better-sqlite3@12"';
    throw new EnvironmentError(
      `--store: ${what}, run Node 22.13 or later, or keep the data in PostgreSQL (docs/observe.md)`,
      { cause },
    );
  }
}

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
  const lock = open(join(folder, LOCK), connect);
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

function open(path: string, connect: Connect): Connection {
  try {
    return connect(path);
  } catch (error) {
    throw problem(error, path);
  }
}

class Part implements Queries {
  readonly connection: Connection;
  readonly #path: string;
  readonly #prepared = new Map<string, Statement>();
  /** Writes take turns. */
  readonly #turns = new InTurn();

  constructor(path: string, connect: Connect) {
    this.#path = path;
    this.connection = open(path, connect);
    try {
      this.connection.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
        PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -${CACHE_KB}; PRAGMA journal_size_limit = 67108864`);
    } catch (error) {
      this.connection.close();
      throw problem(error, path);
    }
  }

  async all(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.guarded(() => this.#prepare(sql).all(...values) as Row[]);
  }

  /** Waits for the transaction that is open: it must not become a part of that. */
  run(sql: string, values: readonly Value[] = []): Promise<void> {
    return this.#turns.do(async () => this.runNow(sql, values));
  }

  runNow(sql: string, values: readonly Value[]): void {
    this.guarded(() => this.#prepare(sql).run(...values));
  }

  exec(sql: string): void {
    this.guarded(() => this.connection.exec(sql));
  }

  /** One transaction. After an error nothing of it is left. */
  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result> {
    return this.#turns.do(() => this.#transaction(work));
  }

  async #transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result> {
    this.exec('BEGIN IMMEDIATE');
    try {
      const within = {
        all: this.all.bind(this),
        run: async (sql: string, values: readonly Value[] = []) => this.runNow(sql, values),
      };
      const result = await work(within);
      this.exec('COMMIT');
      return result;
    } catch (error) {
      try {
        this.connection.exec('ROLLBACK');
      } catch (refused) {
        // SQLITE_FULL and SQLITE_IOERR have already rolled it back.
        if (!/no transaction is active/.test(`${(refused as Error).message}`)) throw problem(refused, this.#path);
      }
      throw error;
    }
  }

  close(): void {
    this.#prepared.clear();
    this.connection.close();
  }

  guarded<Result>(step: () => Result): Result {
    try {
      return step();
    } catch (error) {
      throw problem(error, this.#path);
    }
  }

  #prepare(sql: string): Statement {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    if (this.#prepared.size >= PREPARED_MAX) this.#prepared.clear();
    const statement = this.connection.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}

class SqliteDatabase implements Database {
  /** The lock is a file's, which stays with the process. */
  readonly isLost = false;
  readonly #folder: string;
  readonly #connect: Connect;
  readonly #lock: Connection;
  readonly #main: Part;
  /** The file that was used last comes last. */
  readonly #parts = new Map<string, Part>();

  constructor(folder: string, connect: Connect, lock: Connection) {
    this.#folder = folder;
    this.#connect = connect;
    this.#lock = lock;
    try {
      this.#main = new Part(join(folder, MAIN), connect);
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

  #part(kind: WeekKind, week: string): Part {
    const name = weekTable(kind, week);
    const known = this.#parts.get(name);
    const part = known ?? new Part(join(this.#folder, `${name}.db`), this.#connect);
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

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/SQLITE_FULL|disk is full/, 'the disk is full: make room'],
  [/SQLITE_IOERR|disk I\/O error/, 'the disk cannot be read or written'],
  [/SQLITE_CORRUPT|malformed/, 'the file is damaged: restore it from a backup, or move it away'],
  [/SQLITE_CANTOPEN|unable to open/, 'the file cannot be opened: does it belong to the user of the collector?'],
  [/SQLITE_READONLY|readonly/, 'the file may not be written: does it belong to the user of the collector?'],
  [/SQLITE_NOTADB|not a database/, 'the file is not an SQLite database'],
];

function problem(error: unknown, path: string): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const { code = '', message } = error as Error & { code?: string };
  const words = WORDS.find(([match]) => match.test(`${code} ${message}`))?.[1] ?? message;
  return new DatabaseError(`store ${path}: ${words}`, { cause: error });
}
