import { EnvironmentError } from '../../../errors.js';
import type { Value } from './database.js';

/** What node:sqlite and better-sqlite3 have in common. */
export interface Connection {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}
export interface Statement {
  all(...values: readonly Value[]): unknown[];
  run(...values: readonly Value[]): unknown;
}

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
