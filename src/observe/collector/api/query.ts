import { BOX_STATES, TIME_MAX_MS } from '../../model/observed.js';
import type { Filter, Order } from '../live/table.js';
import { parseOrder } from '../live/table.js';
import type { Cursor, HistoryQuery } from '../store/queries.js';
import { ApiProblem } from './problem.js';

/** Reads the query of a request. Unknown parameters are errors: a filter that is misspelled must not show everything. */

type Query = Readonly<Record<string, unknown>>;

const TEXT_MAX = 256;
const STATES: readonly string[] = BOX_STATES;

export class QueryReader {
  readonly #query: Query;
  readonly #known = new Set<string>();

  constructor(query: unknown) {
    this.#query = (query ?? {}) as Query;
  }

  text(name: string, most = TEXT_MAX): string | undefined {
    this.#known.add(name);
    const value = this.#query[name];
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw new ApiProblem(400, `${name} is given more than once`);
    if (value.length > most) throw new ApiProblem(400, `${name} is longer than ${most} characters`);
    return value.replaceAll('\0', '\ufffd');
  }

  number(name: string, least: number, most: number, otherwise: number): number;
  number(name: string, least: number, most: number): number | undefined;
  number(name: string, least: number, most: number, otherwise?: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most))
      throw new ApiProblem(400, `${name} is not a whole number from ${least} to ${most}`);
    return value;
  }

  flag(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (text !== 'true' && text !== 'false') throw new ApiProblem(400, `${name} is neither true nor false`);
    return text === 'true';
  }

  /** Call it after the parameters were read. @throws ApiProblem if there are others */
  done(): void {
    const unknown = Object.keys(this.#query).find((name) => !this.#known.has(name));
    if (unknown !== undefined)
      throw new ApiProblem(
        400,
        `unknown parameter ${JSON.stringify(unknown.slice(0, 64))}: expected one of ${[...this.#known].join(', ')}`,
      );
  }
}

/** The parameters that say whose boxes are meant. */
function readNames(read: QueryReader) {
  return { user: read.text('user'), job: read.text('job'), host: read.text('host') };
}

export interface TableQuery {
  readonly filter: Filter;
  readonly order: Order;
  readonly offset: number;
  readonly limit: number;
}

export function readTable(query: unknown, visibleTo: string | null): TableQuery {
  const read = new QueryReader(query);
  const states = read.text('state')?.split(',');
  const odd = states?.find((state) => !STATES.includes(state));
  if (odd !== undefined) throw new ApiProblem(400, `state ${JSON.stringify(odd)} is not one of ${STATES.join(', ')}`);
  const sort = read.text('sort') ?? '-memory_bytes';
  const order = parseOrder(sort);
  if (order === null)
    throw new ApiProblem(400, `sort ${JSON.stringify(sort)} is not a key by which tables can be sorted`);
  const table = {
    filter: {
      visibleTo,
      ...readNames(read),
      states: states === undefined ? undefined : new Set(states),
      silent: read.flag('silent'),
      text: read.text('q'),
    },
    order,
    offset: read.number('offset', 0, 1_000_000, 0),
    limit: read.number('limit', 1, 1_000, 100),
  };
  read.done();
  return table;
}

/** Which messages a stream has. */
export interface MessageChoice {
  readonly visibleTo: string | null;
  readonly user: string | undefined;
  /** A job, or an array with all of its tasks. */
  readonly job: string | undefined;
  readonly host: string | undefined;
  readonly samples: boolean;
  readonly events: boolean;
}

export function readMessages(query: unknown, visibleTo: string | null): MessageChoice {
  const read = new QueryReader(query);
  const choice = {
    visibleTo,
    ...readNames(read),
    samples: read.flag('samples') ?? true,
    events: read.flag('events') ?? true,
  };
  read.done();
  return choice;
}

const CURSOR_MAX = 1_024;

export function readHistory(query: unknown, visibleTo: string | null): HistoryQuery {
  const read = new QueryReader(query);
  const history = {
    visibleTo,
    ...readNames(read),
    prefix: read.text('q'),
    reason: read.text('reason'),
    fromMs: read.number('from', 0, TIME_MAX_MS),
    toMs: read.number('to', 0, TIME_MAX_MS),
    after: cursorOf(read.text('cursor', CURSOR_MAX)),
    limit: read.number('limit', 1, 1_000, 100),
  };
  read.done();
  return history;
}

export function cursorText({ updatedMs, box }: Cursor): string {
  return Buffer.from(JSON.stringify([updatedMs, box])).toString('base64url');
}

function cursorOf(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  try {
    const [updatedMs, box] = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (typeof updatedMs === 'number' && typeof box === 'string') return { updatedMs, box };
  } catch {
    // SyntaxError: told below
  }
  throw new ApiProblem(400, 'invalid cursor: use one that this collector has returned');
}
