/** The order of a table, as an address and the API write it: `-cpu_percent` has the largest first. */

export interface Order {
  readonly by: string;
  readonly descending: boolean;
}

/** @param known keys that can be sorted by @param otherwise for what is no order */
export function parseOrder(text: string | undefined, known: readonly string[], otherwise: Order): Order {
  const descending = text?.startsWith('-') === true;
  const by = descending ? (text as string).slice(1) : (text ?? '');
  return known.includes(by) ? { by, descending } : otherwise;
}

export function orderText({ by, descending }: Order): string {
  return descending ? `-${by}` : by;
}

/** Sorts a short list that the page has whole. Null comes last in both directions. @returns a new list */
export function ordered<Row>(
  rows: readonly Row[],
  keyOf: (row: Row) => number | string | null,
  descending: boolean,
): Row[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [keyOf(one), keyOf(other)];
    if (a === b) return 0;
    if (a === null) return 1;
    if (b === null) return -1;
    return typeof a === 'string' && typeof b === 'string' ? sign * natural(a, b) : a < b ? -sign : sign;
  });
}

/** `node9` comes before `node10`. */
const collator = new Intl.Collator('en', { numeric: true });
const natural = collator.compare;
