import { SpecError } from '../errors.js';
import { findOption, OPTION_NAMES } from '../spec/options.js';
import { didYouMean } from '../spec/words.js';

/** A command line of qsub-box, taken apart. Indexes are into `words`, which is what qsub gets, unchanged. */
export interface Submission {
  readonly options: readonly { readonly name: string; readonly text: string; readonly isPath: boolean }[];
  /** Options and operands of qsub. */
  readonly words: readonly string[];
  /** Index of the value of its last `-S`, null without one. */
  readonly shell: number | null;
  /** The script's path, `-` for stdin, null where there is none to read: `-- command`, and `-I` alone. */
  readonly script: string | null;
  /** Index of the command after `--`, null without one. */
  readonly command: number | null;
}

/** Options of OpenPBS's and Torque's qsub(1) that take a value. */
const WITH_VALUE = new Set('aAbcCdDeFjJkKlLmMNopPqrRStTuvwW');
/** What only stands alone in qsub's own way. */
const NOT_OURS = new Set(['about', 'help', 'version']);

/** @throws SpecError for an option of proc_box that does not parse: said now, not when the job starts */
export function parseSubmission(given: readonly string[]): Submission {
  const { options, rest } = boxOptions(given);
  return { options, words: rest, ...parts(rest) };
}

/** The options of proc_box, up to the first word that is none. */
function boxOptions(given: readonly string[]): { options: Submission['options']; rest: readonly string[] } {
  const options: Submission['options'][number][] = [];
  let at = 0;
  for (; at < given.length; at++) {
    const match = /^--?([A-Za-z][\w-]+)(?:=([\s\S]*))?$/.exec(given[at]!);
    const option = match === null || NOT_OURS.has(match[1]!) ? undefined : findOption(match[1]!);
    if (option === undefined) {
      // qsub has no others that are long.
      if (match !== null && given[at]!.startsWith('--') && !NOT_OURS.has(match[1]!)) {
        throw new SpecError(
          `unknown option ${given[at]}${didYouMean(match[1]!, OPTION_NAMES)}; proc_box --help has them all`,
        );
      }
      break;
    }
    const text = match![2] ?? (option.type === 'boolean' ? 'true' : given[++at]);
    if (text === undefined) throw new SpecError(`option ${given[at - 1]} needs a value`);
    try {
      option.parse(text);
    } catch (cause) {
      throw new SpecError(`--${option.name}: ${(cause as Error).message}`, { cause });
    }
    options.push({ name: option.name, text, isPath: option.type === 'path' });
  }
  return { options, rest: given.slice(at) };
}

/** As getopt(3) sees them: options before `--`, wherever they stand. */
function parts(words: readonly string[]): Pick<Submission, 'shell' | 'script' | 'command'> {
  let shell: number | null = null;
  let operand: string | null = null;
  let interactive = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') return { shell, script: null, command: at + 1 };
    if (word === '-' || !word.startsWith('-')) {
      operand ??= word;
      continue;
    }
    if (word.startsWith('--')) continue;
    for (let letter = 1; letter < word.length; letter++) {
      interactive ||= word[letter] === 'I';
      if (!WITH_VALUE.has(word[letter]!)) continue;
      if (word[letter] === 'S' && letter === word.length - 1) shell = at + 1;
      if (word[letter] === 'S' && letter < word.length - 1) {
        throw new SpecError(`write ${word.slice(0, letter + 1)} ${word.slice(letter + 1)} in two words`);
      }
      if (letter === word.length - 1) at++;
      break;
    }
  }
  if (shell !== null && shell >= words.length) throw new SpecError('-S needs a value');
  return { shell, script: operand ?? (interactive ? null : '-'), command: null };
}

/** One word for any words: native/src/front.cc takes them apart. */
export function packWords(words: readonly string[]): string {
  const encode = (word: string) =>
    word.replaceAll(/[^A-Za-z0-9_./=:,@+-]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
  return words.map((word) => `${encode(word)};`).join('');
}
