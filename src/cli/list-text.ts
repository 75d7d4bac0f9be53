import type { BoxRow } from '../agent/list.js';
import { shortSize, shortTime } from '../options/short-amounts.js';
import { printable } from '../text.js';

/** The boxes of a node as a table that fits into 80 columns, if its job ids and commands are short. */

const GAP = '  ';
/** Of the command's last part. */
const COMMAND = 16;

/** @param self the user who asks; a column for users is needed only for boxes of others */
export function listText(rows: readonly BoxRow[], self: string): string {
  if (rows.length === 0) return 'no boxes here\n';
  const shown = COLUMNS.filter(({ name }) => name !== 'USER' || rows.some(({ user }) => user !== self));
  const cells = [shown.map(({ name }) => name), ...rows.map((row) => shown.map(({ text }) => printable(text(row))))];
  const widths = shown.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  return cells.map((line) => `${lineOf(line, widths)}\n`).join('');
}

const COLUMNS: readonly { readonly name: string; readonly text: (row: BoxRow) => string }[] = [
  { name: 'BOX', text: ({ box }) => box },
  {
    name: 'JOB',
    text: ({ box, job, step, task }) =>
      job === box ? '-' : [job, step, task].filter((part) => part !== null).join('.'),
  },
  { name: 'USER', text: ({ user }) => user },
  { name: 'STATE', text: ({ state }) => state },
  { name: 'PID', text: ({ pid }) => `${pid}` },
  { name: 'TIME', text: ({ used_ms, elapsed_ms, limit_ms }) => timeText(used_ms, elapsed_ms, limit_ms) },
  {
    name: 'MEMORY',
    text: ({ memory, memory_peak, memory_limit }) => [memory, memory_peak, memory_limit].map(shortSize).join('/'),
  },
  { name: 'CPU%', text: ({ cpu_percent }) => (cpu_percent === null ? '-' : cpu_percent.toFixed(0)) },
  { name: 'COMMAND', text: ({ command }) => command.slice(command.lastIndexOf('/') + 1).slice(0, COMMAND) },
];

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => cell.padEnd(widths[column]!))
    .join(GAP)
    .trimEnd();
}

/** Without a limit, the time since the start. With one, how much of it is used. */
function timeText(usedMs: number, elapsedMs: number, limitMs: number | null): string {
  return limitMs === null ? shortTime(elapsedMs) : `${shortTime(usedMs)}/${shortTime(limitMs)}`;
}
