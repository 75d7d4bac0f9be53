/** Keeps what the cells have shown, in results.json, and writes it into docs/compatibility.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../setup.mjs';

const RESULTS = join(dirname(fileURLToPath(import.meta.url)), 'results.json');
const PAGE = join(root, 'docs', 'compatibility.md');
const [BEGIN, END] = ['<!-- results: npm run test:versions writes them -->', '<!-- end of results -->'];

/** @returns {Record<string, { version: string, date: string, passed: number, failed: number, skips: string[], failures: string[] }>} */
export function readResults() {
  return JSON.parse(readFileSync(RESULTS, 'utf8'));
}

/** Keeps the result of a cell, with the date. */
export function record({ id }, { version, passed, failed, skips, failures }) {
  const date = new Date().toISOString().slice(0, 10);
  const result = {
    version,
    date,
    passed,
    failed,
    skips: skips.map(({ file, name, reason }) => `${file}: ${name}: ${reason}`),
    failures: failures.map(({ file, name }) => `${file}: ${name}`),
  };
  writeFileSync(RESULTS, `${JSON.stringify({ ...readResults(), [id]: result }, undefined, 2)}\n`);
}

/** Writes the part of the page between its two marks. */
export function writeTable(cells) {
  writeFileSync(PAGE, withTable(readFileSync(PAGE, 'utf8'), cells, readResults()));
}

/** @returns {string} the page with the results in the place of those that it has */
export function withTable(page, cells, results) {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} does not have the lines ${BEGIN} and ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${tableOf(cells, results)}\n${page.slice(end)}`;
}

function tableOf(cells, results) {
  const rows = cells.map((cell) => rowOf(cell, results[cell.id]));
  const notes = cells.flatMap(({ id }) => notesOf(id, results[id]));
  return [
    '| what | version | where | passed | failed | skipped | date | run it again with |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
    ...(notes.length === 0 ? [] : ['Failed or skipped:', '', ...notes, '']),
  ].join('\n');
}

function rowOf({ id, subject, where }, result) {
  const counts =
    result === undefined ? ['', '', '', 'not run'] : [result.passed, result.failed, result.skips.length, result.date];
  return `| ${[subject, result?.version ?? '', where, ...counts, `\`${id}\``].join(' | ')} |`;
}

function notesOf(id, result) {
  const failures = (result?.failures ?? []).map((text) => `- \`${id}\` failed: ${text}`);
  return [...failures, ...(result?.skips ?? []).map((text) => `- \`${id}\` skipped: ${text}`)];
}
