import type { Row } from './measure.js';

/** The rows as a Markdown table with aligned columns, so that it can be pasted into an issue. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map(cellsOf);
  const head = ['figure', 'measured', 'compared with', 'ratio', 'target', ''];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => (row[column] as string).length)),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
}

function cellsOf({ figure, measured, reference, ratio, target, pass }: Row): string[] {
  const verdict = pass === undefined ? '' : pass ? 'PASS' : 'FAIL';
  const cells = [figure, measured, reference, ratio === undefined ? '' : ratio.toFixed(2), target ?? '', verdict];
  return cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' '));
}
