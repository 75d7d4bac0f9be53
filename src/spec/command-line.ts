import { SpecError } from '../errors.js';
import { findOption, OPTION_NAMES, OPTIONS, type Option } from './options.js';
import type { Given } from './resolve.js';
import { didYouMean, quote } from './words.js';

export interface CommandLine {
  readonly given: readonly Given[];
  /** Index of the command's first word in argv; argv's length where there is none. */
  readonly commandIndex: number;
}

/**
 * The words of argv up to the command, exactly as Go's `flag` reads them: `-x v`, `--x v`, `-x=v`, `--x=v`, `-b`,
 * `-b=false`; options end at the first word that is not one, at a lone `-`, or after `--`.
 * @param argv with argv[0]
 * @throws SpecError for an unknown option, one without its value, or a word like `---x`
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const given: Given[] = [];
  let index = 1;
  for (; index < argv.length; index++) {
    const word = argv[index]!;
    if (!word.startsWith('-') || word === '-') break;
    if (word === '--') {
      index++;
      break;
    }
    const { name, value } = splitWord(word);
    const option = findOption(name === 'h' ? 'help' : name);
    if (option === undefined) throw unknownOption(name);
    const origin = `--${option.name}`;
    if (option.type === 'boolean') {
      given.push({ name: option.name, text: value ?? 'true', origin, source: 'command line' });
    } else if (value !== undefined) {
      given.push({ name: option.name, text: value, origin, source: 'command line' });
    } else if (index + 1 < argv.length) {
      given.push({ name: option.name, text: argv[++index]!, origin, source: 'command line' });
    } else {
      const example = option.default === '' ? `<${option.placeholder}>` : option.default;
      throw new SpecError(`${origin} needs a value: for example "${origin} ${example}"`);
    }
  }
  return { given, commandIndex: index };
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
      // `--memory --pids 5`: the value is missing.
      at += taken === 2 && item !== undefined && next!.startsWith('--') && !parses(item) ? 1 : taken;
    } catch {
      at++; // unknown, or without its value
    }
  }
  return { given };
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

function splitWord(word: string): { name: string; value: string | undefined } {
  const body = word.slice(word.startsWith('--') ? 2 : 1);
  if (body.startsWith('-') || body.startsWith('=')) {
    throw new SpecError(`${quote(word)} is not an option: expected -x, --x, -x=value or --x=value`);
  }
  const at = body.indexOf('=');
  return at < 0 ? { name: body, value: undefined } : { name: body.slice(0, at), value: body.slice(at + 1) };
}

function unknownOption(name: string): SpecError {
  const near = didYouMean(name, OPTION_NAMES, (option) => `--${option}`);
  return new SpecError(`unknown option ${quote(`--${name}`)}${near === '' ? '; "proc_box --help" lists them' : near}`);
}
