/** What the cells have shown; see table.mjs. */
import type { Cell } from './cells.mjs';

export interface Result {
  readonly version: string;
  /** YYYY-MM-DD, UTC */
  readonly date: string;
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly string[];
  readonly failures: readonly string[];
}
type Results = Readonly<Record<string, Result>>;

export function readResults(): Results;
export function withTable(page: string, cells: readonly Cell[], results: Results): string;
