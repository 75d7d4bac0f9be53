import { roundTime, shortSize } from '../../options/short-amounts.js';
import { cellText, fit, widthOf } from '../terminal/cells.js';
import type { Look } from '../terminal/look.js';
import type { Style } from '../terminal/style.js';
import { bar } from './bar.js';
import { jobName, type TopRow, worstPressure } from './row.js';
import { type SortKey, share } from './sort.js';

/** The columns of the table, and which of them fit. */

export interface Column {
  readonly title: string;
  /** Cells that it takes at least and at most. */
  readonly least: number;
  readonly most: number;
  /** Columns with a lower one stay longest when the screen becomes narrow. */
  readonly rank: number;
  readonly right?: true;
  /** The order that a click on the column would mean. */
  readonly sort?: SortKey;
  readonly text: (row: TopRow, look: Look, width: number) => string;
  readonly style?: (row: TopRow) => Style;
}

const LETTERS: Readonly<Record<string, string>> = {
  starting: 'new',
  running: 'run',
  suspended: 'susp',
  stopping: 'stop',
  ended: 'end',
  silent: '?',
};
const ALARM_SHARE = 0.95;
const NOTICE_SHARE = 0.8;
const PRESSURE_NOTICE = 10;
const PRESSURE_ALARM = 40;

/** In the order of the screen. */
export const COLUMNS: readonly Column[] = [
  { title: 'USER', least: 5, most: 12, rank: 1, sort: 'user', text: ({ user }, { utf8 }) => cellText(user, utf8) },
  { title: 'JOB', least: 7, most: 24, rank: 0, sort: 'job', text: (row, { utf8 }) => cellText(jobName(row), utf8) },
  { title: 'HOST', least: 6, most: 20, rank: 6, sort: 'host', text: ({ host }, { utf8 }) => hostText(host, utf8) },
  { title: 'S', least: 4, most: 4, rank: 2, sort: 'state', text: stateText, style: stateStyle },
  { title: 'CPU%', least: 5, most: 6, rank: 0, right: true, sort: 'cpu', text: (row) => percent(row.cpu_percent) },
  { title: 'MEM', least: 4, most: 5, rank: 0, right: true, sort: 'memory', text: (row) => shortSize(row.memory) },
  { title: 'PEAK', least: 4, most: 5, rank: 7, right: true, sort: 'peak', text: (row) => shortSize(row.memory_peak) },
  { title: 'LIM', least: 4, most: 5, rank: 3, right: true, sort: 'limit', text: (row) => shortSize(row.memory_limit) },
  { title: 'MEMORY', least: 6, most: 20, rank: 4, sort: 'memory-share', text: memoryBar, style: memoryStyle },
  { title: 'R/s', least: 4, most: 5, rank: 8, right: true, sort: 'read', text: (row) => rate(row.read_rate) },
  { title: 'W/s', least: 4, most: 5, rank: 8, right: true, sort: 'write', text: (row) => rate(row.write_rate) },
  { title: 'PSI', least: 4, most: 5, rank: 9, right: true, sort: 'pressure', text: pressureText, style: pressureStyle },
  { title: 'TIME', least: 8, most: 13, rank: 5, right: true, sort: 'time', text: timeText, style: timeStyle },
  { title: 'PROC', least: 4, most: 5, rank: 10, right: true, sort: 'processes', text: (row) => count(row.processes) },
  { title: 'QUEUE', least: 6, most: 12, rank: 12, text: ({ queue }, { utf8 }) => cellText(queue ?? '-', utf8) },
  {
    title: 'COMMAND',
    least: 8,
    most: 40,
    rank: 11,
    text: ({ command }, { utf8 }) => cellText(baseName(command), utf8),
  },
];

const BY_RANK: readonly Column[] = [...COLUMNS].sort((a, b) => a.rank - b.rank);
const isBar = ({ title }: Column) => title === 'MEMORY';
/** The bar takes what the texts leave. */
const IN_TURN: readonly Column[] = [...BY_RANK.filter((one) => !isBar(one)), ...BY_RANK.filter(isBar)];

export interface Placed {
  readonly column: Column;
  readonly width: number;
}

/**
 * Chooses the columns that fit, and gives them the cells that are left, as far as their texts need them.
 * @param rows those that are shown now
 * @param before the columns as they were; they do not become narrower again, so that the table stands still
 */
export function place(rows: readonly TopRow[], width: number, look: Look, before: readonly Placed[] = []): Placed[] {
  const chosen = new Set<Column>();
  let left = width + 1;
  for (const column of BY_RANK) {
    if (column.least + 1 > left) break;
    chosen.add(column);
    left -= column.least + 1;
  }
  const widths = new Map<Column, number>();
  for (const column of IN_TURN.filter((one) => chosen.has(one))) {
    const had = before.find((one) => one.column === column)?.width ?? 0;
    const wanted = had === column.most ? had : Math.min(column.most, Math.max(had, textWidth(column, rows, look)));
    const more = Math.max(0, Math.min(left, wanted - column.least));
    widths.set(column, column.least + more);
    left -= more;
  }
  return COLUMNS.filter((column) => chosen.has(column)).map((column) => ({ column, width: widths.get(column)! }));
}

function textWidth(column: Column, rows: readonly TopRow[], look: Look): number {
  if (isBar(column)) return column.most;
  return Math.max(0, ...rows.map((row) => widthOf(column.text(row, look, column.most))));
}

export function cell({ column, width }: Placed, row: TopRow, look: Look): string {
  return fit(column.text(row, look, width), width, look.utf8, column.right ? 'right' : 'left');
}

export function percent(value: number | null): string {
  if (value === null) return '-';
  return value < 99.95 ? value.toFixed(1) : `${Math.min(Math.round(value), 9_999_999)}`;
}

function count(value: number | null): string {
  return value === null ? '-' : `${Math.min(Math.round(value), 9_999_999)}`;
}

/** Less than a byte per second is nothing. */
export function rate(bytesPerSec: number | null): string {
  return bytesPerSec === null ? '-' : bytesPerSec < 1 ? '0' : shortSize(bytesPerSec);
}

/** The first part of a host's name tells hosts of one cluster apart. */
function hostText(host: string, utf8: boolean): string {
  return cellText(/^\d+(?:\.\d+){3}$/.test(host) ? host : host.split('.', 1)[0]!, utf8);
}

function baseName(command: string | null): string {
  return command === null ? '-' : command.slice(command.lastIndexOf('/') + 1);
}

function stateText({ state }: TopRow, { utf8 }: Look): string {
  return LETTERS[state] ?? cellText(state, utf8);
}

export function stateStyle({ state }: TopRow): Style {
  if (state === 'running') return 'good';
  return state === 'suspended' || state === 'stopping' ? 'notice' : 'dim';
}

function memoryBar(row: TopRow, { utf8 }: Look, width: number): string {
  const now = share(row.memory, row.memory_limit);
  if (now === null) return '-';
  return bar(now, share(row.memory_peak, row.memory_limit) ?? now, width, utf8);
}

export function memoryStyle(row: TopRow): Style {
  if ((row.oom_kills ?? 0) > 0) return 'alarm';
  return styleOf(share(row.memory, row.memory_limit));
}

function timeText({ used_ms, limit_ms }: TopRow): string {
  if (used_ms === null) return '-';
  return limit_ms === null ? roundTime(used_ms) : `${roundTime(used_ms)}/${roundTime(limit_ms)}`;
}

function timeStyle(row: TopRow): Style {
  return styleOf(share(row.used_ms, row.limit_ms));
}

function styleOf(part: number | null): Style {
  if (part === null || part < NOTICE_SHARE) return 'plain';
  return part < ALARM_SHARE ? 'notice' : 'alarm';
}

const ON = { cpu: 'c', memory: 'm', io: 'i' } as const;

/** `m42`: tasks waited for memory in 42 % of the last 10 s. */
function pressureText(row: TopRow): string {
  const worst = worstPressure(row);
  if (worst === null) return '-';
  return worst.percent < 0.5 ? '0' : `${ON[worst.on]}${Math.min(100, Math.round(worst.percent))}`;
}

function pressureStyle(row: TopRow): Style {
  const percent = worstPressure(row)?.percent ?? 0;
  if (percent < PRESSURE_NOTICE) return 'plain';
  return percent < PRESSURE_ALARM ? 'notice' : 'alarm';
}
