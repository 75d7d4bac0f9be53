import { EVERYTHING, type Filter, filterText, parseFilter } from '../source/filter.js';
import type { Key } from '../terminal/keys.js';
import { type Prompt, typeInto } from '../terminal/prompt.js';
import type { TopRow } from './row.js';
import { SORT_KEYS, type SortKey } from './sort.js';

/** What the user of the screen has chosen, and what a key does to it. A pure function, without terminal and broker. */

export type Action = 'kill' | 'suspend' | 'resume';

/** An action that waits for its confirmation. The box was named when the key was pressed, and no new order changes it. */
export interface Question {
  readonly action: Action;
  readonly row: TopRow;
  /** Boxes of the same job that the table shows, of the same user. */
  readonly ofJob: number;
}

export interface View {
  readonly page: 'table' | 'details' | 'help';
  readonly sort: SortKey;
  readonly reversed: boolean;
  /** What the user has typed, beside the options of the command line. */
  readonly filter: Filter;
  readonly showEnded: boolean;
  readonly paused: boolean;
  /** The box under the cursor; null: the first one. */
  readonly selected: string | null;
  /** Index of the first row or line that is shown. */
  readonly scroll: number;
  readonly prompt: Prompt | null;
  readonly question: Question | null;
  /** One line about what has happened last. */
  readonly message: { readonly text: string; readonly isError: boolean } | null;
}

/** What has to happen outside. */
export type Effect =
  | { readonly kind: 'quit' | 'suspend' | 'redraw' }
  | { readonly kind: 'command'; readonly action: Action; readonly row: TopRow; readonly wholeJob: boolean };

export interface Shown {
  /** All rows of the table, in their order. */
  readonly rows: readonly TopRow[];
  /** Rows or lines that fit on the screen. */
  readonly height: number;
}

export function firstView(sort: SortKey, reversed = false): View {
  return {
    page: 'table',
    sort,
    reversed,
    filter: EVERYTHING,
    showEnded: true,
    paused: false,
    selected: null,
    scroll: 0,
    prompt: null,
    question: null,
    message: null,
  };
}

export interface Pressed {
  readonly view: View;
  readonly effect?: Effect;
}

export function press(view: View, key: Key, shown: Shown): Pressed {
  if (key.name === 'suspend') return { view, effect: { kind: 'suspend' } };
  if (key.name === 'redraw') return { view, effect: { kind: 'redraw' } };
  if (view.question !== null) return answer(view, view.question, key);
  if (view.prompt !== null) return typed(view, view.prompt, key);
  const fresh = { ...view, message: null };
  if (key.name === 'interrupt' || key.text === 'q') return quitOrBack(fresh, key);
  if (key.name === 'escape') return { view: back(fresh) };
  const moved = move(fresh, key, shown);
  if (moved !== undefined) return { view: moved };
  return { view: chosen(fresh, key, shown) };
}

/** `q` leaves a page before it leaves the program. */
function quitOrBack(view: View, { name }: Key): Pressed {
  if (name !== 'interrupt' && view.page !== 'table') return { view: back(view) };
  return { view, effect: { kind: 'quit' } };
}

function back(view: View): View {
  if (view.page !== 'table') return { ...view, page: 'table', scroll: 0 };
  return { ...view, filter: EVERYTHING, scroll: 0 };
}

/** The index of the box under the cursor; 0 if it has gone. */
export function cursorOf({ selected }: Pick<View, 'selected'>, rows: readonly TopRow[]): number {
  return Math.max(
    0,
    rows.findIndex(({ box }) => box === selected),
  );
}

/** The first row to show, so that the cursor is among them. */
export function scrollFor(view: View, { rows, height }: Shown): number {
  const cursor = cursorOf(view, rows);
  const last = Math.max(0, rows.length - height);
  return Math.min(last, Math.max(cursor - height + 1, Math.min(view.scroll, cursor)));
}

function move(view: View, { name, text }: Key, { rows, height }: Shown): View | undefined {
  const by = { up: -1, down: 1, pageup: -height, pagedown: height, home: -rows.length, end: rows.length };
  const vi: Readonly<Record<string, keyof typeof by>> = { j: 'down', ' ': 'pagedown', g: 'home', G: 'end' };
  const direction = name in by ? (name as keyof typeof by) : vi[text];
  if (direction === undefined) return undefined;
  const step = Math.sign(by[direction]) * Math.max(1, Math.abs(by[direction]));
  if (view.page !== 'table') return { ...view, scroll: Math.max(0, view.scroll + step) };
  if (rows.length === 0) return view;
  const cursor = Math.max(0, Math.min(rows.length - 1, cursorOf(view, rows) + step));
  const next = { ...view, selected: rows[cursor]!.box };
  return { ...next, scroll: scrollFor(next, { rows, height }) };
}

const ACTIONS: Readonly<Record<string, Action>> = { k: 'kill', s: 'suspend', r: 'resume' };
const ORDERS: Readonly<Record<string, SortKey>> = {
  P: 'cpu',
  M: 'memory',
  L: 'memory-share',
  I: 'io',
  W: 'pressure',
  T: 'time',
  E: 'time-left',
  N: 'job',
  U: 'user',
  H: 'host',
};

function chosen(view: View, { name, text }: Key, { rows }: Shown): View {
  const action = ACTIONS[text];
  if (action !== undefined && view.page !== 'help') return asked(view, action, rows);
  const order = ORDERS[text];
  if (order !== undefined) return { ...view, sort: order, reversed: view.sort === order && !view.reversed };
  if (name === 'enter') return detailsOf(view, rows);
  if (name === 'left' || text === '<') return { ...view, sort: nextSort(view.sort, -1), reversed: false };
  if (name === 'right' || text === '>') return { ...view, sort: nextSort(view.sort, 1), reversed: false };
  switch (text) {
    case 'R':
      return { ...view, reversed: !view.reversed };
    case '/':
      return {
        ...view,
        prompt: { label: 'Show (user:alice job:1234 host:n1 state:susp, or words): ', text: filterText(view.filter) },
      };
    case 'u':
      return onlyUser(view, rows);
    case 'e':
      return {
        ...view,
        showEnded: !view.showEnded,
        message: { text: view.showEnded ? 'ended boxes are hidden' : 'ended boxes are shown', isError: false },
      };
    case 'p':
      return { ...view, paused: !view.paused };
    case 'h':
    case '?':
      return { ...view, page: view.page === 'help' ? 'table' : 'help', scroll: 0 };
    default:
      return view;
  }
}

function detailsOf(view: View, rows: readonly TopRow[]): View {
  const row = rows[cursorOf(view, rows)];
  if (view.page !== 'table') return back(view);
  return row === undefined ? view : { ...view, page: 'details', selected: row.box, scroll: 0 };
}

function nextSort(sort: SortKey, step: number): SortKey {
  return SORT_KEYS[(SORT_KEYS.indexOf(sort) + step + SORT_KEYS.length) % SORT_KEYS.length]!;
}

/** Shows only the boxes of the user under the cursor, or those of everybody again. */
function onlyUser(view: View, rows: readonly TopRow[]): View {
  const row = rows[cursorOf(view, rows)];
  const keys = new Map(view.filter.keys);
  if (keys.has('user')) keys.delete('user');
  else if (row !== undefined) keys.set('user', [row.user]);
  return { ...view, filter: { ...view.filter, keys }, scroll: 0 };
}

function asked(view: View, action: Action, rows: readonly TopRow[]): View {
  const row = rows[cursorOf(view, rows)];
  if (row === undefined) return view;
  if (row.state === 'ended') return { ...view, message: { text: 'this box has ended', isError: true } };
  const isSame = ({ job, cluster, user }: TopRow) => job === row.job && cluster === row.cluster && user === row.user;
  const ofJob = rows.filter((one) => isSame(one) && one.state !== 'ended').length;
  return { ...view, selected: row.box, question: { action, row, ofJob } };
}

/** Only `y` and `j` are a yes. */
function answer(view: View, { action, row, ofJob }: Question, { text }: Key): Pressed {
  const closed = { ...view, question: null };
  if (text === 'y' || text === 'Y') return { view: closed, effect: { kind: 'command', action, row, wholeJob: false } };
  if (text === 'j' && ofJob > 1) return { view: closed, effect: { kind: 'command', action, row, wholeJob: true } };
  return { view: { ...closed, message: { text: `${action}: cancelled`, isError: false } } };
}

function typed(view: View, prompt: Prompt, key: Key): Pressed {
  const next = typeInto(prompt, key);
  if (next === 'left') return { view: { ...view, prompt: null } };
  if ('entered' in next) return { view: { ...view, prompt: null, filter: parseFilter(next.entered), scroll: 0 } };
  return { view: { ...view, prompt: next } };
}
