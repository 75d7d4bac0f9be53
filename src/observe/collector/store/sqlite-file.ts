import { DatabaseError, type Queries, type Row, type Value } from './database.js';
import { InTurn } from './in-turn.js';
import type { Connect, Connection, Statement } from './sqlite-module.js';

const PREPARED_MAX = 64;
const CACHE_KB = 16_384;

/** One file of the store. Writes take turns, and its errors say what is wrong with which file. */
export class SqliteFile implements Queries {
  readonly connection: Connection;
  readonly #path: string;
  readonly #prepared = new Map<string, Statement>();
  readonly #turns = new InTurn();

  constructor(path: string, connect: Connect) {
    this.#path = path;
    this.connection = openFile(path, connect);
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

export function openFile(path: string, connect: Connect): Connection {
  try {
    return connect(path);
  } catch (error) {
    throw problem(error, path);
  }
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/SQLITE_FULL|disk is full/, 'the disk is full: make room'],
  [/SQLITE_IOERR|disk I\/O error/, 'the disk cannot be read or written'],
  [/SQLITE_CORRUPT|malformed/, 'the file is damaged: restore it from a backup, or move it away'],
  [/SQLITE_CANTOPEN|unable to open/, 'the file cannot be opened: does it belong to the user of the collector?'],
  [/SQLITE_READONLY|readonly/, 'the file may not be written: does it belong to the user of the collector?'],
  [/SQLITE_NOTADB|not a database/, 'the file is not an SQLite database'],
];

export function problem(error: unknown, path: string): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const { code = '', message } = error as Error & { code?: string };
  const words = WORDS.find(([match]) => match.test(`${code} ${message}`))?.[1] ?? message;
  return new DatabaseError(`store ${path}: ${words}`, { cause: error });
}
