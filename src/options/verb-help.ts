import type { VerbOption } from './verb-words.js';

/** The columns of a verb's `--help`: at most 100. */

const INDENT = 30;

/** A row for each of the verb's own options. */
export function optionRows(own: Readonly<Record<string, VerbOption>>): string {
  const rows = Object.entries(own).map(([name, { placeholder, default: fallback, help }]) => {
    const value = placeholder === undefined ? '' : ` <${placeholder}>`;
    const shown = fallback === undefined ? '' : ` (default ${fallback})`;
    return row(`--${name}${value}`, `${help}${shown}`);
  });
  return rows.join('');
}

export function row(head: string, help: string): string {
  const begin = `\n${' '.repeat(INDENT)}`;
  const first = head.length + 2 < INDENT ? `  ${head}`.padEnd(INDENT) : `  ${head}${begin}`;
  return `${first}${wrap(help).join(begin)}\n`;
}

export function wrap(text: string): string[] {
  return text.match(/.{1,70}(?:\s|$)/g)?.map((line) => line.trimEnd()) ?? [text];
}
