import { SpecError } from '../errors.js';
import type { Given } from './resolve.js';
import { findOption, OPTION_NAMES, OPTIONS, type Option } from './table.js';
import { didYouMean, quote } from './words.js';

export interface CommandLine {
  readonly given: readonly Given[];
  /** Words that the user probably meant differently. */
  readonly warnings: readonly string[];
}

/**
 * Reads the words before the command as Go's `flag` does: `-x v`, `--x v`, `-x=v`, `--x=v`, `-b`, `-b=false`. The front end
 * decides where the command begins (native/src/front/options.cc).
 * @param words may end with the `--` that separates them from the command
 * @param command the words after them. @default none
 * @throws SpecError for an unknown option, one without its value, or a word like `---x`
 */
export function parseCommandLine(words: readonly string[], command: readonly string[] = []): CommandLine {
  const given: Given[] = [];
  const warnings: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === '--' && index === words.length - 1) break;
    const next = words[index + 1];
    const read = readOption(word, next);
    given.push(read.given);
    if (read.takesNext) index++;
    else if (next === undefined) warnings.push(...nextIsCommand(read.given, word, command[0]));
  }
  return { given, warnings };
}

/**
 * Like `parseCommandLine`, for words some of which are wrong: it skips words that are not options, with what looks like their
 * values.
 * @param words up to and without the `--`
 */
export function lenientCommandLine(words: readonly string[]): Pick<CommandLine, 'given'> {
  const given: Given[] = [];
  for (let at = 0; at < words.length; ) {
    try {
      const { given: item, takesNext } = readOption(words[at]!, words[at + 1]);
      given.push(item);
      at += takesNext && !lacksValue(item) ? 2 : 1;
    } catch {
      at++; // unknown, or without its value
    }
  }
  return { given };
}

/** Whether the value of an option was forgotten, so that the next option was taken for it: `--memory --pids 5`. */
export function lacksValue(item: Given): boolean {
  return item.text.startsWith('--') && !parses(item);
}

/** Whether the text is a value of its option. */
export function parses({ name, text }: Given): boolean {
  const option: Option = OPTIONS[name];
  try {
    option.parse(text);
    return true;
  } catch {
    return false; // the caller that needs the value reports the error
  }
}

/** Splits `--name=value`. @returns undefined for a word that is not an option: `-`, `--`, `---x`, `-=x`, `job` */
export function splitOption(
  word: string,
): { readonly dashes: string; readonly name: string; readonly value: string | undefined } | undefined {
  const [, dashes, name, value] = /^(--?)([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
  return dashes === undefined || name === undefined ? undefined : { dashes, name, value };
}

/** @throws SpecError */
function readOption(word: string, next: string | undefined): { given: Given; takesNext: boolean } {
  const split = splitOption(word);
  if (split === undefined) {
    throw new SpecError(`${quote(word)} is not an option: expected -x, --x, -x=value or --x=value`);
  }
  const { dashes, name: typed, value } = split;
  const option = findOption(typed === 'h' ? 'help' : typed);
  if (option === undefined) throw unknownOption(dashes, typed);
  // Messages show the option as it was typed: a user who wrote "-timeout" would not look for "--timeout".
  const origin = `${dashes}${typed}`;
  const text = value ?? (option.type === 'boolean' ? 'true' : next);
  if (text === undefined) {
    const example = option.default === '' ? `<${option.placeholder}>` : option.default;
    throw new SpecError(`${origin} needs a value: for example "${origin} ${example}"`);
  }
  const takesNext = value === undefined && option.type !== 'boolean';
  return { given: { name: option.name, text, origin, source: 'command line' }, takesNext };
}

const READS_AS_BOOLEAN = /^(?:[01tf]|true|false|yes|no|on|off)$/i;

/** Warns of `--report true ./job`, which runs the program `true` and succeeds at once. */
function nextIsCommand({ origin }: Given, word: string, next: string | undefined): readonly string[] {
  if (next === undefined || word.includes('=') || !READS_AS_BOOLEAN.test(next)) return [];
  return [
    `${quote(next)} after ${origin} is taken for the command: if it is meant as the value, write ${origin}=${next}`,
  ];
}

function unknownOption(dashes: string, name: string): SpecError {
  const near = didYouMean(name, OPTION_NAMES, (option) => `${dashes}${option}`);
  return new SpecError(
    `unknown option ${quote(`${dashes}${name}`)}${near === '' ? '; "proc_box --help" lists them' : near}`,
  );
}
