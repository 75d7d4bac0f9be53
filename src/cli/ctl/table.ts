import { bytes } from '../../options/amounts.js';
import { printable } from '../../text.js';
import type { CtlAnswer } from './answer.js';

/** Formats answers to `ping` as a table, which shows at a glance which boxes exist. */

const HEADINGS = ['USER', 'JOB', 'TASK', 'HOST', 'STATE', 'MEMORY', 'BOX'] as const;
/** Texts from the network may have any length; this bounds a cell. */
const CELL_MAX = 64;

/** One line per box, sorted by user, job, task and host; the columns are aligned, with two spaces between them. */
export function formatTable(answers: readonly CtlAnswer[]): string {
  const rows = answers
    .map(cells)
    .sort((a, b) => a.slice(0, 4).join('\0').localeCompare(b.slice(0, 4).join('\0'), 'en', { numeric: true }));
  const lines = [HEADINGS, ...rows];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const memory = HEADINGS.indexOf('MEMORY');
  return lines
    .map((line) => line.map((cell, column) => cell[column === memory ? 'padStart' : 'padEnd'](widths[column]!)))
    .map((line) => `${line.join('  ').trimEnd()}\n`)
    .join('');
}

function cells({ box, host, job, result }: CtlAnswer): string[] {
  const { identity, state, memory_bytes: memory } = (result ?? {}) as Readonly<Record<string, unknown>>;
  const { user, step, task } = (identity ?? {}) as Readonly<Record<string, unknown>>;
  const place = [step, task].filter((part) => part !== null && part !== undefined).join('.');
  // A box of an earlier version does not tell its memory.
  const used = typeof memory === 'number' && memory >= 0 ? bytes(memory) : '-';
  return [user, job, place, host, state, used, box].map(
    (cell) => printable(String(cell ?? '')).slice(0, CELL_MAX) || '-',
  );
}
