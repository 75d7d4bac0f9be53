/**
 * The part of the boxes' table that the page has: a window of rows around what is on the screen, kept current by differences. The
 * rest stays with the collector, so that 40,000 boxes cost the browser no more than 100.
 */
import type { BoxPageDelta, BoxRow, BoxTotals } from '../../model/api.js';

export interface RowWindow {
  /** Takes a difference. Rows that it does not name are dropped. */
  apply(delta: BoxPageDelta): void;
  /**
   * While held, rows keep their places and only their figures change: somebody points at one and should hit it.
   * @returns whether places have changed at the release
   */
  hold(held: boolean): boolean;
  /** Forgets everything: another search or order. */
  clear(): void;
  /** The row at a place of the whole table; undefined if it is not here. */
  at(index: number): BoxRow | undefined;
  /** Rows of the whole table; null while nothing has come yet. */
  readonly count: number | null;
  readonly totals: BoxTotals | null;
  /** Whether other rows belong to the places that are held. */
  readonly waiting: boolean;
}

export function createRowWindow(): RowWindow {
  const rows = new Map<string, BoxRow>();
  let shown: readonly string[] = [];
  let shownOffset = 0;
  let newest: BoxPageDelta | null = null;
  let held = false;
  let waiting = false;

  const settle = () => {
    waiting = false;
    if (newest === null) return;
    shown = newest.order;
    shownOffset = newest.offset;
    const named = new Set(shown);
    for (const key of rows.keys()) if (!named.has(key)) rows.delete(key);
  };

  return {
    apply(delta) {
      for (const row of delta.rows) rows.set(row.box, row);
      // A window at another place follows the scroll of whoever points, and cannot be held.
      const moved = newest === null || newest.offset !== delta.offset;
      newest = delta;
      if (held && !moved) waiting = !sameOrder(shown, delta.order);
      else settle();
    },
    hold(next) {
      const released = held && !next && waiting;
      held = next;
      if (released) settle();
      return released;
    },
    clear() {
      rows.clear();
      shown = [];
      newest = null;
      waiting = false;
    },
    at(index) {
      const key = shown[index - shownOffset];
      return key === undefined ? undefined : rows.get(key);
    },
    get count() {
      return newest === null ? null : newest.matching;
    },
    get totals() {
      return newest === null ? null : newest.totals;
    },
    get waiting() {
      return waiting;
    },
  };
}

function sameOrder(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((key, index) => key === other[index]);
}

/** Rows that are asked for at once: several screens full, so that most scrolling needs no new connection. */
export const WINDOW_ROWS = 240;

/**
 * Where the window should begin for what is on the screen.
 * @param now where it begins; it stays there while the screen keeps clear of its edges
 */
export function windowOffset(now: number, first: number, end: number): number {
  const margin = 20;
  const fits = (now === 0 || first >= now + margin) && end <= now + WINDOW_ROWS - margin;
  return fits ? now : Math.max(0, Math.round((first + end - WINDOW_ROWS) / 2));
}
