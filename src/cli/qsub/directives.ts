import { scanWords } from './words.js';

/** Reads the directives of qsub(1) in a script, as far as a box shell needs them. */

/**
 * The shell of the script's last `#PBS -S`, which a `-S` on the command line would override; null without one.
 * @param words of the command line, because `-C` changes the prefix of directives
 */
export function shellOfDirectives(script: string, words: readonly string[]): string | null {
  const prefix = directivePrefix(words);
  if (prefix === '') return null;
  let shell: string | null = null;
  for (const line of script.split('\n')) {
    if (line.startsWith(prefix)) shell = shellOf(splitWords(line.slice(prefix.length))) ?? shell;
    else if (!/^\s*(#|:|$)/.test(line)) break; // the first command ends them
  }
  return shell;
}

/** The prefix of directives: `-C` of the command line, else PBS_DPREFIX, else `#PBS`. */
function directivePrefix(words: readonly string[]): string {
  const given = scanWords(words).values.findLast(({ letter }) => letter === 'C');
  return given?.text ?? process.env['PBS_DPREFIX'] ?? '#PBS';
}

function shellOf(words: readonly string[]): string | null {
  return scanWords(words).values.findLast(({ letter }) => letter === 'S')?.text ?? null;
}

/** Splits a directive into words, with quotes, up to a comment. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [, single, double, bare] of text.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)) {
    const word = single ?? double ?? bare!;
    if (bare?.startsWith('#')) break;
    words.push(word);
  }
  return words;
}
