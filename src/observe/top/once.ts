import { cellText, fit, widthOf } from '../terminal/cells.js';
import type { Look } from '../terminal/look.js';
import { COLUMNS, place } from './columns.js';
import type { TopRow } from './row.js';

/** The table as text, for `--once`: without a screen, for pipes and files. */

/** @param width of the terminal; undefined for a pipe or a file, which get every column as wide as it needs to be */
export function tableText(rows: readonly TopRow[], width: number | undefined, look: Look): string {
  if (rows.length === 0) return 'no boxes\n';
  const columns =
    width === undefined
      ? COLUMNS.filter(({ title }) => title !== 'MEMORY').map((column) => ({ column, width: undefined }))
      : place(rows, width, look);
  const plain = { ...look, color: false };
  const cells = [
    columns.map(({ column }) => column.title),
    ...rows.map((row) => columns.map(({ column, width: cells }) => column.text(row, plain, cells ?? column.most))),
  ];
  const widths = columns.map(
    ({ width: given }, index) => given ?? cells.reduce((most, line) => Math.max(most, widthOf(line[index]!)), 0),
  );
  return cells
    .map((line) =>
      line
        .map((text, index) =>
          fit(cellText(text, look.utf8), widths[index]!, look.utf8, columns[index]!.column.right ? 'right' : 'left'),
        )
        .join(' ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
