import { SpecError } from '../../errors.js';
import { splitOption } from '../../options/command-line.js';
import { findOption, OPTION_NAMES } from '../../options/table.js';
import { redactUri } from '../../options/uri.js';
import { didYouMean } from '../../options/words.js';

/** A command line of qsub-box, taken apart. Indexes are into `words`, which is what qsub gets, unchanged. */
export interface Submission {
  readonly options: readonly { readonly name: string; readonly text: string; readonly isPath: boolean }[];
  /** Options and operands of qsub. */
  readonly words: readonly string[];
  /** Its last `-S`, null without one. */
  readonly shell: Value | null;
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
    const split = splitOption(given[at]!);
    const isOurs = split !== undefined && split.name.length > 1 && !NOT_OURS.has(split.name);
    const option = isOurs ? findOption(split.name) : undefined;
    if (option === undefined) {
      // qsub has no others that are long.
      if (isOurs && split.dashes === '--') {
        throw new SpecError(
          `unknown option ${given[at]}${didYouMean(split.name, OPTION_NAMES)}; proc_box --help has them all`,
        );
      }
      break;
    }
    const text = split!.value ?? (option.type === 'boolean' ? 'true' : given[++at]);
    if (text === undefined) throw new SpecError(`option ${given[at - 1]} needs a value`);
    try {
      option.parse(text);
    } catch (cause) {
      throw new SpecError(`--${option.name}: ${(cause as Error).message}`, { cause });
    }
    if (redactUri(text) !== text) {
      throw new SpecError(`--${option.name} has a password, which qstat and ps would show: use --uri-file`);
    }
    options.push({ name: option.name, text, isPath: option.type === 'path' });
  }
  return { options, rest: given.slice(at) };
}

/** An option's value: `words[at]` from `offset` on. */
export interface Value {
  readonly letter: string;
  readonly text: string;
  readonly at: number;
  readonly offset: number;
}

/** As getopt(3) sees qsub's words: options wherever they stand before `--`, operands, and the first word after `--`. */
export function scanWords(words: readonly string[]) {
  const values: Value[] = [];
  const operands: string[] = [];
  let flags = '';
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') return { values, operands, flags, command: at + 1 };
    if (word === '-' || !word.startsWith('-')) operands.push(word);
    if (word === '-' || !word.startsWith('-') || word.startsWith('--')) continue;
    const found = [...word].findIndex((letter, index) => index > 0 && WITH_VALUE.has(letter));
    flags += found < 0 ? word.slice(1) : word.slice(1, found);
    if (found < 0) continue;
    const letter = word[found]!;
    const glued = found + 1 < word.length;
    if (!glued) at++;
    const offset = glued ? found + 1 : 0;
    values.push({ letter, at, offset, text: words[at]?.slice(offset) ?? '' });
  }
  return { values, operands, flags, command: null };
}

function parts(words: readonly string[]): Pick<Submission, 'shell' | 'script' | 'command'> {
  const { values, operands, flags, command } = scanWords(words);
  const shell = values.findLast(({ letter }) => letter === 'S') ?? null;
  if (shell !== null && shell.at >= words.length) throw new SpecError('-S needs a value');
  if (command !== null) return { shell, script: null, command };
  return { shell, script: operands[0] ?? (flags.includes('I') ? null : '-'), command };
}

/** One word for any words: native/src/front/front.cc takes them apart. */
export function packWords(words: readonly string[]): string {
  const encode = (word: string) =>
    word.replaceAll(/[^A-Za-z0-9_./=:,@+-]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
  return words.map((word) => `${encode(word)};`).join('');
}
