import { SpecError } from '../errors.js';
import { splitOption } from './command-line.js';
import { naming } from './resolve.js';
import { findOption, OPTION_NAMES, type OptionName } from './table.js';
import { parseBoolean } from './units.js';
import { didYouMean, quote } from './words.js';

/** Reads the words after a verb (`proc_box ctl`, `adopt`, `spool`, ...): the verb's own options, a box's options, and the rest. */

/** An option that belongs to a verb. */
export interface VerbOption {
  /** Name of its value. An option without one is a flag: `--json`, `--json=false`. */
  readonly placeholder?: string;
  readonly default?: string;
  readonly help?: string;
}

export interface Verb<Name extends string> {
  /** The words that call it: `proc_box ctl`. */
  readonly name: string;
  readonly own: Readonly<Record<Name, VerbOption>>;
  /** The options of a box that the verb takes as well. */
  readonly ofBox: 'all' | readonly OptionName[];
  /** Whether options end at the first other word, as before a job's command, or may be anywhere. */
  readonly ends: 'at the first word' | 'with the words';
  /** An own option may have an empty value. @default an empty value is refused like a missing one */
  readonly takesEmpty?: true;
}

export interface VerbWords<Name extends string> {
  /** The verb's own options that were given; if one was given twice, the last text counts. */
  readonly own: ReadonlyMap<Name, string>;
  /** The options of a box that were given, each as one word. */
  readonly forBox: readonly string[];
  /** The words that are not options. */
  readonly rest: readonly string[];
}

/** @param words the words after the verb. @throws SpecError for an unknown option, or one without its value */
export function readVerb<Name extends string>(words: readonly string[], verb: Verb<Name>): VerbWords<Name> {
  const own = new Map<Name, string>();
  const forBox: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    const split = splitOption(word);
    if (split === undefined && verb.ends === 'at the first word') {
      rest.push(...words.slice(word === '--' ? index + 1 : index));
      break;
    }
    if (split === undefined) {
      rest.push(word);
      continue;
    }
    const { dashes, value } = split;
    const typed = `${dashes}${split.name}`;
    const name = split.name === 'h' ? 'help' : split.name;
    const isOwn = Object.hasOwn(verb.own, name);
    if (!isOwn && !ofBox(verb).includes(name)) throw unknownOption(verb, dashes, name);
    const takesValue = isOwn ? verb.own[name as Name].placeholder !== undefined : findOption(name)?.type !== 'boolean';
    const text = value ?? (takesValue ? words[++index] : 'true');
    if (text === undefined || (text === '' && isOwn && !verb.takesEmpty)) {
      throw new SpecError(`${typed} needs a value; "${verb.name} --help" lists the options`);
    }
    if (isOwn) own.set(name as Name, text);
    else forBox.push(`${typed}=${text}`);
  }
  return { own, forBox, rest };
}

/** Whether a flag is on. @throws SpecError if its value is neither true nor false */
export function isSet<Name extends string>({ own }: Pick<VerbWords<Name>, 'own'>, name: Name): boolean {
  return naming(`--${name}`, () => parseBoolean(own.get(name) ?? 'false'));
}

/** Whether a word looks like an option that the verb has. */
export function isOptionOf<Name extends string>(verb: Verb<Name>, word: string): boolean {
  const name = splitOption(word)?.name;
  return name !== undefined && (Object.hasOwn(verb.own, name) || ofBox(verb).includes(name));
}

function ofBox({ ofBox }: Pick<Verb<string>, 'ofBox'>): readonly string[] {
  return ofBox === 'all' ? OPTION_NAMES.filter((name) => name !== 'version') : ofBox;
}

function unknownOption(verb: Verb<string>, dashes: string, name: string): SpecError {
  const lists = `"${verb.name} --help" lists`;
  if (findOption(name) !== undefined) {
    return new SpecError(`${dashes}${name} is an option of a box, not of "${verb.name}"; ${lists} its options`);
  }
  const known = [...Object.keys(verb.own), ...ofBox(verb)];
  const near = didYouMean(name, known, (option) => `${dashes}${option}`);
  return new SpecError(`unknown option ${quote(`${dashes}${name}`)}${near || `; ${lists} them`}`);
}
