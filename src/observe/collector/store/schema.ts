import type { WeekKind } from './database.js';

/**
 * The tables of the store, the same in SQLite and PostgreSQL. `{integer}`, `{bytes}` and `{text}` stand for the database's own
 * types; text is compared byte by byte in both.
 */

/** Rises if an older collector could not read the store. */
export const SCHEMA_VERSION = 1;

export const MAIN_TABLES = [
  `CREATE TABLE IF NOT EXISTS meta (name {text} PRIMARY KEY, value {text} NOT NULL)`,
  // One row for each box, for good: who it was, its latest figures, its end report.
  `CREATE TABLE IF NOT EXISTS box (
    box {text} PRIMARY KEY,
    job {text} NOT NULL,
    job_array {text},
    cluster {text},
    "user" {text} NOT NULL,
    host {text} NOT NULL,
    identity {text} NOT NULL,
    executable {text},
    interval_ms {integer},
    first_ms {integer} NOT NULL,
    started_ms {integer},
    updated_ms {integer} NOT NULL,
    received_ms {integer} NOT NULL,
    ended_ms {integer},
    reason {text},
    exit_status {integer},
    why {text},
    seen {text} NOT NULL,
    samples {integer} NOT NULL,
    events {integer} NOT NULL,
    flushed_id {integer} NOT NULL,
    figures {bytes} NOT NULL,
    limits {text} NOT NULL,
    report {text}
  )`,
  `CREATE INDEX IF NOT EXISTS box_updated ON box (updated_ms)`,
  `CREATE INDEX IF NOT EXISTS box_job ON box (job)`,
  `CREATE INDEX IF NOT EXISTS box_job_array ON box (job_array) WHERE job_array IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS box_user ON box ("user", updated_ms)`,
  `CREATE INDEX IF NOT EXISTS box_host ON box (host, updated_ms)`,
  `CREATE INDEX IF NOT EXISTS box_reason ON box (reason, updated_ms) WHERE reason IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS box_open ON box (updated_ms) WHERE ended_ms IS NULL`,
  // What was committed and is in no chunk yet, a row for each transaction.
  `CREATE TABLE IF NOT EXISTS journal (id {integer} PRIMARY KEY, at_ms {integer} NOT NULL, body {bytes} NOT NULL)`,
  // Time lines whose weeks are gone: at most THIN_POINTS points for each box.
  `CREATE TABLE IF NOT EXISTS thin (
    box {text} PRIMARY KEY,
    updated_ms {integer} NOT NULL,
    weeks {text} NOT NULL,
    body {bytes} NOT NULL
  )`,
  `CREATE INDEX IF NOT EXISTS thin_updated ON thin (updated_ms)`,
  `CREATE TABLE IF NOT EXISTS command (
    id {text} PRIMARY KEY,
    at_ms {integer} NOT NULL,
    "user" {text} NOT NULL,
    command {text} NOT NULL,
    arguments {text} NOT NULL,
    target {text} NOT NULL,
    outcome {text} NOT NULL,
    answers {integer} NOT NULL,
    refused {integer} NOT NULL
  )`,
  `CREATE INDEX IF NOT EXISTS command_at ON command (at_ms)`,
  `CREATE INDEX IF NOT EXISTS command_user ON command ("user", at_ms)`,
  // Each alert once for a job.
  `CREATE TABLE IF NOT EXISTS alert (
    job_key {text} NOT NULL,
    alert {text} NOT NULL,
    at_ms {integer} NOT NULL,
    job {text} NOT NULL,
    cluster {text},
    "user" {text} NOT NULL,
    host {text} NOT NULL,
    box {text} NOT NULL,
    detail {text} NOT NULL,
    told {integer} NOT NULL,
    PRIMARY KEY (job_key, alert)
  )`,
  `CREATE INDEX IF NOT EXISTS alert_at ON alert (at_ms)`,
] as const;

interface WeekTable {
  /** `{table}` is its name. */
  readonly create: readonly string[];
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** What happens to a row whose key is there. */
  readonly again: 'replace' | 'ignore';
}

export const WEEK_TABLES: Readonly<Record<WeekKind, WeekTable>> = {
  series: {
    create: [
      `CREATE TABLE IF NOT EXISTS {table} (
        box {text} NOT NULL, first_sequence {integer} NOT NULL, body {bytes} NOT NULL, PRIMARY KEY (box, first_sequence))`,
    ],
    columns: ['box', 'first_sequence', 'body'],
    key: ['box', 'first_sequence'],
    again: 'replace',
  },
  events: {
    create: [
      `CREATE TABLE IF NOT EXISTS {table} (
        box {text} NOT NULL, sequence {integer} NOT NULL, at_ms {integer} NOT NULL, event {text} NOT NULL, body {text} NOT NULL,
        PRIMARY KEY (box, sequence))`,
    ],
    columns: ['box', 'sequence', 'at_ms', 'event', 'body'],
    key: ['box', 'sequence'],
    again: 'ignore',
  },
};

const TYPES = {
  sqlite: { integer: 'INTEGER', bytes: 'BLOB', text: 'TEXT' },
  postgres: { integer: 'BIGINT', bytes: 'BYTEA', text: 'TEXT COLLATE "C"' },
} as const;

/** The statement with the types of a database. */
export function withTypes(sql: string, database: keyof typeof TYPES): string {
  return sql.replaceAll(/\{(integer|bytes|text)\}/g, (_, name: 'integer' | 'bytes' | 'text') => TYPES[database][name]);
}

export function weekTable(kind: WeekKind, week: string): string {
  return `${kind}_${week}`;
}

/** Inserts `count` rows into the table of a week. */
export function insertInto(kind: WeekKind, table: string, count: number): string {
  const { columns, key, again } = WEEK_TABLES[kind];
  const row = `(${columns.map(() => '?').join(', ')})`;
  const others = columns.filter((column) => !key.includes(column)).map((column) => `${column} = excluded.${column}`);
  const then = again === 'ignore' ? 'DO NOTHING' : `DO UPDATE SET ${others.join(', ')}`;
  const rows = Array.from({ length: count }, () => row).join(', ');
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${rows} ON CONFLICT (${key.join(', ')}) ${then}`;
}
