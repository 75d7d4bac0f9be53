/** The table of what `npm run test:versions` runs; see cells.mjs. */
export interface Cell {
  readonly id: string;
  readonly subject: string;
  readonly where: string;
  readonly suite?: string;
  readonly node?: string;
  readonly npm?: string;
  readonly vm?: boolean;
  readonly version: readonly string[];
  readonly tests: readonly string[];
}

export const CELLS: readonly Cell[];
