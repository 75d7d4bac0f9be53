/** Which rows of a long table exist in the document: those on the screen and a few beyond its edges. */

export interface RowWindow {
  /** Index of the first row that exists. */
  readonly first: number;
  /** Index after the last one. */
  readonly end: number;
}

/** Rows beyond each edge, so that a quick scroll shows no gap. */
const BEYOND = 8;

/**
 * @param count rows of the table
 * @param rowHeight height of each row in px
 * @param top px of the table that lie above the visible part; negative where the table begins below the upper edge
 * @param height height of the visible part in px
 */
export function rowWindow(count: number, rowHeight: number, top: number, height: number): RowWindow {
  const first = clamp(Math.floor(top / rowHeight) - BEYOND, 0, count);
  const end = clamp(Math.ceil((top + height) / rowHeight) + BEYOND, first, count);
  return { first, end };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
