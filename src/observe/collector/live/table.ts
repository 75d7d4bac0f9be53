import { SORT_KEYS, type SortKey } from '../../model/api.js';
import type { LiveBox } from './box.js';
import { SORT_VALUES } from './row.js';

/** Filters and sorts boxes for a table. A part of 40,000 boxes must take few milliseconds. */

export interface Filter {
  /** Only this user's boxes: what somebody who is no operator sees. */
  readonly visibleTo: string | null;
  readonly user: string | undefined;
  /** A job, or an array with all of its tasks. */
  readonly job: string | undefined;
  readonly host: string | undefined;
  readonly states: ReadonlySet<string> | undefined;
  readonly silent: boolean | undefined;
  readonly text: string | undefined;
}

export interface Order {
  readonly key: SortKey;
  readonly descending: boolean;
}

/** @param text a key, with a leading `-` for the highest first. @returns null if there is no such key */
export function parseOrder(text: string): Order | null {
  const descending = text.startsWith('-');
  const key = SORT_KEYS.find((name) => name === (descending ? text.slice(1) : text));
  return key === undefined ? null : { key, descending };
}

export function filterBoxes(boxes: Iterable<LiveBox>, filter: Filter, nowMs: number): LiveBox[] {
  const { visibleTo, user, job, host, states, silent } = filter;
  const text = filter.text?.toLowerCase();
  const found: LiveBox[] = [];
  for (const box of boxes) {
    const { identity } = box;
    if (visibleTo !== null && identity.user !== visibleTo) continue;
    if (user !== undefined && identity.user !== user) continue;
    if (job !== undefined && !isOfJob(identity.job, job)) continue;
    if (host !== undefined && identity.host !== host) continue;
    if (states !== undefined && !states.has(box.state)) continue;
    if (silent !== undefined && box.isSilent(nowMs) !== silent) continue;
    if (text !== undefined && !occursIn(box, text)) continue;
    found.push(box);
  }
  return found;
}

/** `1234` stands for the tasks of an array as well: `1234_7`. PBS writes `1234[7]`. */
export function isOfJob(own: string, asked: string): boolean {
  if (own === asked) return true;
  return own.startsWith(asked) && /^(_\d+|\[\d+\].*)$/.test(own.slice(asked.length));
}

function occursIn({ identity, executable }: LiveBox, text: string): boolean {
  const { job, user, host, box } = identity;
  return [job, user, host, box, executable ?? ''].some((one) => one.toLowerCase().includes(text));
}

/** @returns the boxes at positions `offset` to `offset + limit` in the order; ties go by box, so that rows do not jump */
export function sortedPart(boxes: readonly LiveBox[], order: Order, offset: number, limit: number): LiveBox[] {
  const value = SORT_VALUES[order.key];
  const keyed = boxes.map((box) => ({ box, key: value(box) }));
  const sign = order.descending ? -1 : 1;
  const compare = (one: Keyed, other: Keyed) => {
    const by = compareKeys(one.key, other.key, sign);
    return by !== 0 ? by : one.box.identity.box < other.box.identity.box ? -1 : 1;
  };
  const wanted = offset + limit;
  const sorted = wanted < keyed.length / 8 ? smallest(keyed, wanted, compare) : keyed.sort(compare);
  return sorted.slice(offset, wanted).map(({ box }) => box);
}

interface Keyed {
  readonly box: LiveBox;
  readonly key: number | string;
}

function compareKeys(one: number | string, other: number | string, sign: number): number {
  if (typeof one === 'string' || typeof other === 'string') return one < other ? -sign : one > other ? sign : 0;
  const [isOneOdd, isOtherOdd] = [Number.isNaN(one), Number.isNaN(other)];
  if (isOneOdd || isOtherOdd) return Number(isOneOdd) - Number(isOtherOdd);
  return (one - other) * sign;
}

/** The first `count` of an order, in order, without sorting the rest: a buffer is sorted and cut whenever it is full. */
function smallest(all: readonly Keyed[], count: number, compare: (one: Keyed, other: Keyed) => number): Keyed[] {
  const best: Keyed[] = [];
  const room = Math.max(256, count * 2);
  /** The last of those that are sure to come before whatever comes after it. */
  let bound: Keyed | undefined;
  for (const one of all) {
    if (bound !== undefined && compare(one, bound) > 0) continue;
    best.push(one);
    if (best.length < room) continue;
    best.sort(compare);
    best.length = count;
    bound = best[count - 1];
  }
  return best.sort(compare).slice(0, count);
}
