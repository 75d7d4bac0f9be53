import { SpecError } from '../errors.js';
import { findOption, OPTION_NAMES } from './options.js';
import type { Given } from './resolve.js';
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
  return readOptions(argv, 'all');
}

/**
 * The same of a command line that is wrong, as far as it is certain: options that cannot be read are left out. After an
 * unknown one only `--` tells where the command begins, since nobody knows whether that option takes a value.
 */
export function understandCommandLine(argv: readonly string[]): CommandLine {
  return readOptions(argv, 'known');
}

function readOptions(argv: readonly string[], which: 'all' | 'known'): CommandLine {
  const given: Given[] = [];
  const warnings: string[] = [];
  let certain = true;
  let index = 1;
  for (; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '--') {
      index++;
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (certain) break;
      continue;
    }
    const read = readOption(word, argv[index + 1]);
    if (!(read instanceof SpecError)) {
      given.push(read.given);
      if (read.takesNext) index++;
      else if (certain) warnings.push(...nextIsCommand(read.given, word, argv[index + 1]));
    } else if (which === 'all') throw read;
    else certain &&= word.includes('=');
  }
  return { given, commandIndex: index, warnings };
}

/** @returns what is wrong with it, for the caller to throw */
function readOption(word: string, next: string | undefined): { given: Given; takesNext: boolean } | SpecError {
  const body = word.slice(word.startsWith('--') ? 2 : 1);
  if (body.startsWith('-') || body.startsWith('=')) {
    return new SpecError(`${quote(word)} is not an option: expected -x, --x, -x=value or --x=value`);
  }
  const at = body.indexOf('=');
  const typed = at < 0 ? body : body.slice(0, at);
  const value = at < 0 ? undefined : body.slice(at + 1);
  const dashes = word.slice(0, word.length - body.length);
  const option = findOption(typed === 'h' ? 'help' : typed);
  if (option === undefined) return unknownOption(dashes, typed);
  // As it was typed: a message about "--timeout" sends whoever wrote "-timeout" looking.
  const origin = `${dashes}${typed}`;
  const text = value ?? (option.type === 'boolean' ? 'true' : next);
  if (text === undefined) {
    const example = option.default === '' ? `<${option.placeholder}>` : option.default;
    return new SpecError(`${origin} needs a value: for example "${origin} ${example}"`);
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
