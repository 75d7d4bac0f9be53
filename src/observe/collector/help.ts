import type { VerbOption } from '../../options/verb-words.js';
import { OWN } from './option-table.js';

const INDENT = 30;
const WIDTH = 70;

/** The text of `proc_box collector --help`; at most 100 columns. */
export function collectorHelp(): string {
  const options = Object.entries<VerbOption & { readonly help: string }>(OWN).map(([name, option]) => {
    const value = option.placeholder === undefined ? '' : ` <${option.placeholder}>`;
    const shown = option.default === undefined ? '' : ` (default ${option.default})`;
    return row(`--${name}${value}`, `${option.help}${shown}`);
  });
  return `usage: proc_box collector [options]

Keeps what boxes publish, and serves it: a page, an API, metrics for Prometheus, alerts. docs/observe.md says how to set
it up.

Options:
${options.join('')}The broker is set as for a box: by --uri, --uri-file, --exchange, --skey, --ekey, --rkey, --tls-ca and so on, their PBOX_*
variables, or the config file.

Exit status:
  0    it was told to end
  125  an option is wrong, or the store or the address cannot be used
`;
}

function row(head: string, help: string): string {
  const begin = `\n${' '.repeat(INDENT)}`;
  const first = head.length + 2 < INDENT ? `  ${head}`.padEnd(INDENT) : `  ${head}${begin}`;
  const lines = help.match(new RegExp(`.{1,${WIDTH}}(?:\\s|$)`, 'g')) ?? [help];
  return `${first}${lines.map((line) => line.trimEnd()).join(begin)}\n`;
}
