import pg from 'pg';
import { EnvironmentError } from '../../../errors.js';
import { redactUri } from '../../../text.js';
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
 * The store in PostgreSQL, in the schema `proc_box` of a database. One connection writes, and holds an advisory lock: a second
 * collector stands by until it has the lock. Whoever loses that connection can write no more, so that two never write at once.
 * Others read.
 */

/** Of pg_try_advisory_lock: `proc_box` in ASCII. */
const LOCK = '0x70726f635f626f78';
const READERS = 4;
const CONNECT_MS = 10_000;
/** Longest time for a statement. A write that takes longer is tried again. */
const STATEMENT_MS = 60_000;
/** A statement has at most 65,535 parameters. */
const ROWS_PER_STATEMENT = 1_000;
/** Types of the catalog that come as text: 64-bit and arbitrary precision integers. All of ours are below 2^53. */
const INT8 = 20;
const NUMERIC = 1700;

const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 || oid === NUMERIC ? Number : pg.types.getTypeParser(oid, format as 'text'),
} as pg.CustomTypesConfig;

/**
 * @returns null if another collector has the lock
 * @throws DatabaseError if the server cannot be used now, EnvironmentError if it never will
 */
export async function openPostgres(uri: string): Promise<Database | null> {
  const options = {
    connectionString: uri,
    connectionTimeoutMillis: CONNECT_MS,
    types,
    application_name: 'proc_box collector',
  };
  const writer = new pg.Client({ ...options, statement_timeout: STATEMENT_MS, keepAlive: true });
  // Without a listener an error of an idle connection would end the process. The next statement fails, and says why.
  writer.on('error', () => {});
  try {
    await writer.connect();
    const { rows } = await writer.query(`SELECT pg_try_advisory_lock(x'${LOCK.slice(2)}'::bigint) AS mine`);
    if (rows[0].mine !== true) {
      await writer.end();
      return null;
    }
    await writer.query('CREATE SCHEMA IF NOT EXISTS proc_box');
    await writer.query('SET search_path TO proc_box');
    for (const sql of MAIN_TABLES) await writer.query(withTypes(sql, 'postgres'));
  } catch (error) {
    await endQuietly(writer);
    throw problem(error, uri);
  }
  const readers = new pg.Pool({
    ...options,
    max: READERS,
    statement_timeout: STATEMENT_MS,
    options: '-c search_path=proc_box',
  });
  // As above: the pool replaces a connection that breaks while idle.
  readers.on('error', () => {});
  return new PostgresDatabase(uri, writer, readers);
}

/** Ends a connection that has failed. That ending it fails, too, says nothing new: the first error is the one to tell. */
async function endQuietly(client: pg.Client): Promise<void> {
  await Promise.allSettled([client.end()]);
}

class PostgresDatabase implements Database {
  readonly #uri: string;
  readonly #writer: pg.Client;
  readonly #readers: pg.Pool;
  readonly #made = new Set<string>();
  /** Writes take turns on their one connection. */
  readonly #turns = new InTurn();
  #isLost = false;

  constructor(uri: string, writer: pg.Client, readers: pg.Pool) {
    this.#uri = uri;
    this.#writer = writer;
    this.#readers = readers;
    for (const event of ['error', 'end'] as const) {
      writer.on(event, () => {
        this.#isLost = true;
      });
    }
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  all(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.#query(this.#readers, sql, values);
  }

  async run(sql: string, values: readonly Value[] = []): Promise<void> {
    await this.#turns.do(() => this.#query(this.#writer, sql, values));
  }

  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result> {
    return this.#turns.do(async () => {
      const within: Queries = {
        all: (sql, values = []) => this.#query(this.#writer, sql, values),
        run: async (sql, values = []) => void (await this.#query(this.#writer, sql, values)),
      };
      await within.run('BEGIN');
      try {
        const result = await work(within);
        await within.run('COMMIT');
        return result;
      } catch (error) {
        await this.#rollBack();
        throw error;
      }
    });
  }

  /** A transaction that cannot be rolled back must not take in the next writes: it ends with its connection. */
  async #rollBack(): Promise<void> {
    try {
      await this.#writer.query('ROLLBACK');
    } catch {
      await endQuietly(this.#writer);
    }
  }

  async week(kind: WeekKind, week: string): Promise<Queries & Batching> {
    const table = weekTable(kind, week);
    if (!this.#made.has(table)) {
      for (const sql of WEEK_TABLES[kind].create) await this.run(withTypes(sql, 'postgres').replace('{table}', table));
      this.#made.add(table);
    }
    return {
      all: (sql, values) => this.all(sql, values),
      run: (sql, values) => this.run(sql, values),
      insert: (rows) =>
        this.transaction(async ({ run }) => {
          for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
            const some = rows.slice(at, at + ROWS_PER_STATEMENT);
            await run(insertInto(kind, table, some.length), some.flat());
          }
        }),
    };
  }

  async weeks(kind: WeekKind): Promise<string[]> {
    const rows = await this.all(`SELECT tablename FROM pg_tables WHERE schemaname = 'proc_box' AND tablename LIKE ?`, [
      `${kind}\\_%`,
    ]);
    return rows
      .map(({ tablename }) => String(tablename).slice(kind.length + 1))
      .filter(isWeek)
      .sort();
  }

  async dropWeek(kind: WeekKind, week: string): Promise<void> {
    const table = weekTable(kind, week);
    this.#made.delete(table);
    await this.run(`DROP TABLE IF EXISTS ${table}`);
  }

  /** The server's own autovacuum and checkpoints do it. A word from time to time shows that the lock is still ours. */
  async maintain(): Promise<void> {
    await this.run('SELECT 1');
  }

  async size(): Promise<number> {
    const [row] = await this.all(
      `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'proc_box' AND c.relkind = 'r'`,
    );
    return Number(row?.['bytes'] ?? 0);
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#readers.end(), this.#writer.end()]);
  }

  async #query(on: pg.Client | pg.Pool, sql: string, values: readonly Value[]): Promise<Row[]> {
    try {
      return (await on.query(numbered(sql), values as unknown[])).rows;
    } catch (error) {
      throw problem(error, this.#uri);
    }
  }
}

/** PostgreSQL numbers its parameters. No statement of ours has a `?` in a text. */
function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll('?', () => `$${++count}`);
}

/** SQLSTATE classes with which somebody has to act: login, database, permission. */
const PERMANENT = /^(28|3D|42501)/;

function problem(error: unknown, uri: string): Error {
  if (error instanceof DatabaseError) return error;
  const { code = '', message } = error as Error & { code?: string };
  const text = `store ${redactUri(uri)}: ${redactUri(message || code)}`;
  if (PERMANENT.test(code)) {
    return new EnvironmentError(`${text}: give the collector a login and its own database (docs/observe.md)`, {
      cause: error,
    });
  }
  return new DatabaseError(text, { cause: error });
}
