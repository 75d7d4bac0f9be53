import { SpecError } from '../errors.js';
import type { Given } from './resolve.js';
import { findOption, OPTION_NAMES, OPTIONS, type Option } from './table.js';
import { didYouMean, quote } from './words.js';

export interface CommandLine {
  readonly given: readonly Given[];
  /** Index of the command's first word in argv; argv's length where there is none. */
  readonly commandIndex: number;
  /** What was probably meant otherwise. */
  readonly warnings: readonly string[];
}

/**
 * The words of argv up to the command, exactly as Go's `flag` reads them: `-x v`, `--x v`, `-x=v`, `--x=v`, `-b`,
 * `-b=false`; options end at the first word that is not one, at a lone `-`, or after `--`.
 * @param argv with argv[0]
 * @throws SpecError for an unknown option, one without its value, or a word like `---x`
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const given: Given[] = [];
  const warnings: string[] = [];
  let index = 1;
  for (; index < argv.length; index++) {
    const word = argv[index]!;
    if (!word.startsWith('-') || word === '-') break;
    if (word === '--') {
      index++;
      break;
    }
    const read = readOption(word, argv[index + 1]);
    given.push(read.given);
    if (read.takesNext) index++;
    else warnings.push(...nextIsCommand(read.given, word, argv[index + 1]));
  }
  return { given, commandIndex: index, warnings };
}

/**
 * As `parseCommandLine`, for words of which some are wrong: those that are no options are left out, with what looks like their
 * values.
 * @param words up to the `--`, which is none of them
 */
export function lenientCommandLine(words: readonly string[]): Pick<CommandLine, 'given'> {
  const given: Given[] = [];
  for (let at = 0; at < words.length; ) {
    const next = words[at + 1];
    // A word that is no option ends them: where it is taken all the same, it is the value.
    const rest = next === undefined ? [] : ['value'];
    try {
      const { commandIndex } = parseCommandLine(['', words[at]!, ...rest]);
      const taken = Math.max(1, commandIndex - 1);
      const [item] = parseCommandLine(['', ...words.slice(at, at + taken)]).given;
      if (item !== undefined) given.push(item);
      at += taken === 2 && item !== undefined && lacksValue(item) ? 1 : taken;
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
