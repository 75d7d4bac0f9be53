import { SpecError } from '../errors.js';
import type { Given } from './resolve.js';
import { findOption, OPTION_NAMES, OPTIONS, type Option } from './table.js';
import { didYouMean, quote } from './words.js';

export interface CommandLine {
  readonly given: readonly Given[];
  /** What was probably meant otherwise. */
  readonly warnings: readonly string[];
}

/**
 * The words before the command, as Go's `flag` reads them: `-x v`, `--x v`, `-x=v`, `--x=v`, `-b`, `-b=false`. The front end
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
 * As `parseCommandLine`, for words of which some are wrong: those that are no options are left out, with what looks like their
 * values.
 * @param words up to the `--`, which is none of them
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

/** `--memory --pids 5`: of an option whose value is a word of its own, whether it was forgotten. */
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
    return false; // why is told by whoever needs the value
  }
}

/** `--name=value`, taken apart. @returns undefined where the word is no option: `-`, `--`, `---x`, `-=x`, `job` */
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
  // As it was typed: a message about "--timeout" sends whoever wrote "-timeout" looking.
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

/** `--report true ./job` runs the program `true`, which ends at once and well. */
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
