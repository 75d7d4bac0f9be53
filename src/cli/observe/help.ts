import type { VerbOption } from '../../options/verb-words.js';
import { row, wrap } from '../ctl/help.js';
import { OBSERVED } from './broker.js';

/** The help of a verb: at most 100 columns. */
export function verbHelp(
  head: string,
  own: Readonly<Record<string, VerbOption & { readonly help: string }>>,
  tail: string,
): string {
  const options = Object.entries(own).map(([name, { placeholder, default: fallback, help }]) => {
    const shown = fallback === undefined ? '' : ` (default ${fallback})`;
    return row(`--${name}${placeholder === undefined ? '' : ` <${placeholder}>`}`, `${help}${shown}`);
  });
  return `${head}\nOptions:\n${options.join('')}${BROKER}${tail}`;
}

const BROKER = `
Set the broker as for a box: with
  ${wrap(`--${OBSERVED.join(', --')},`).join('\n  ')}
with their PBOX_* variables, or in the config file.
`;
