import { SpecError } from '../../errors.js';
import { splitOption } from '../../options/command-line.js';
import { findOption, OPTION_NAMES } from '../../options/table.js';
import { redactUri } from '../../options/uri.js';
import { didYouMean } from '../../options/words.js';

/** A parsed command line of qsub-box. Indexes refer to `words`, which qsub gets unchanged. */
export interface Submission {
  /** Options of proc_box. */
  readonly options: readonly { readonly name: string; readonly text: string; readonly isPath: boolean }[];
  /** Options and operands of qsub. */
  readonly words: readonly string[];
  /** The last `-S`; null without one. */
  readonly shell: Value | null;
  /** Path of the script, `-` for stdin; null if there is no script to read: with `-- command`, or with `-I` alone. */
  readonly script: string | null;
  /** Index of the command after `--`; null without one. */
  readonly command: number | null;
}

/** Options of OpenPBS's and Torque's qsub(1) that take a value. */
const WITH_VALUE = new Set('aAbcCdDeFjJkKlLmMNopPqrRStTuvwW');
/** Names that are left to qsub, although proc_box may have an option of that name. */
const NOT_OURS = new Set(['about', 'help', 'version']);

/**
 * @throws SpecError for an option of proc_box that does not parse, so that the user learns it now and not in the job
 */
export function parseSubmission(given: readonly string[]): Submission {
  const { options, rest } = boxOptions(given);
  return { options, words: rest, ...parts(rest) };
}

/** Takes the options of proc_box, up to the first word that is not one. */
function boxOptions(given: readonly string[]): { options: Submission['options']; rest: readonly string[] } {
  const options: Submission['options'][number][] = [];
  let at = 0;
  for (; at < given.length; at++) {
    const split = splitOption(given[at]!);
    const isOurs = split !== undefined && split.name.length > 1 && !NOT_OURS.has(split.name);
    const option = isOurs ? findOption(split.name) : undefined;
    if (option === undefined) {
      // qsub itself has no other long options.
      if (isOurs && split.dashes === '--') {
        throw new SpecError(
          `unknown option ${given[at]}${didYouMean(split.name, OPTION_NAMES)}; proc_box --help lists them all`,
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
      throw new SpecError(`--${option.name} holds a password, which qstat and ps would show: use --uri-file`);
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

/** Scans qsub's words as getopt(3) does: options anywhere before `--`, operands, and the first word after `--`. */
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

/** Encodes any words as one word, which native/src/front/front.cc decodes. */
export function packWords(words: readonly string[]): string {
  const encode = (word: string) =>
    word.replaceAll(/[^A-Za-z0-9_./=:,@+-]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
  return words.map((word) => `${encode(word)};`).join('');
}
