import { optionRows, wrap } from '../../options/verb-help.js';
import type { VerbOption } from '../../options/verb-words.js';
import { OBSERVED } from './broker.js';

/** The help of a verb: at most 100 columns. */
export function verbHelp(
  head: string,
  own: Readonly<Record<string, VerbOption & { readonly help: string }>>,
  tail: string,
): string {
  return `${head}\nOptions:\n${optionRows(own)}${BROKER}${tail}`;
}

const BROKER = `
Set the broker as for a box: with
  ${wrap(`--${OBSERVED.join(', --')},`).join('\n  ')}
with their PBOX_* variables, or in the config file.
`;
