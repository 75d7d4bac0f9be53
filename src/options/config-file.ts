import { SpecError } from '../errors.js';
import type { Given } from './resolve.js';
import { findOption, OPTION_NAMES, OPTIONS, type Option, type OptionName } from './table.js';
import { didYouMean, quote } from './words.js';
import { parseYaml, scalarText, type YamlDocument, type YamlLoader, type YamlPair } from './yaml-document.js';

export interface SiteFile {
  readonly given: readonly Given[];
  /** Options that the file locks for every user. */
  readonly locked: readonly Lock[];
}

/** An option that only the site's file may set. */
export interface Lock {
  readonly name: OptionName;
  /** File and line. */
  readonly origin: string;
}

/**
 * Reads the options of a config file, a YAML mapping with option names as keys. An empty value counts as not set. The usual
 * file of plain `key: value` lines is read without loading the YAML parser.
 * @param file its path, for messages
 * @throws SpecError that names file and line if it is not YAML, a key is not an option, or a value has the wrong shape
 */
export function readConfig(file: string, text: string, loadYaml: YamlLoader): readonly Given[] {
  const { given: options, locked } = readSiteFile(file, text, loadYaml);
  if (locked[0] === undefined) return options;
  throw new SpecError(`${locked[0].origin}: "${LOCKED}" is allowed only in ${OPTIONS.config.default}: remove the line`);
}

/** Like `readConfig`, for the site's file, whose key `locked` may name options. @throws SpecError */
export function readSiteFile(file: string, text: string, loadYaml: YamlLoader): SiteFile {
  const flat = readFlat(text);
  if (flat !== undefined) {
    const isLock = ({ key }: FlatEntry) => key === LOCKED;
    return {
      given: flat
        .filter((entry) => !isLock(entry))
        .map(({ key, value, line }) => given(file, line, checkKey(file, line, key).name, value)),
      locked: flat.filter(isLock).flatMap(({ value, line }) => locks(file, line, value)),
    };
  }
  const document = parseYaml(file, text, loadYaml());
  const isLock = ({ key }: YamlPair) => key === LOCKED;
  return {
    given: document.pairs.filter((pair) => !isLock(pair)).flatMap((pair) => readPair(file, document, pair)),
    locked: document.pairs.filter(isLock).flatMap(({ value, line }) => locks(file, line, lockText(document, value))),
  };
}

const LOCKED = 'locked';

function lockText({ yaml, resolve }: YamlDocument, value: unknown): string | undefined {
  if (!yaml.isSeq(value)) return scalarText(yaml, value) ?? undefined;
  const names = value.items.map((item) => scalarText(yaml, resolve(item)));
  return names.every((name) => typeof name === 'string') ? names.join(',') : undefined;
}

function locks(file: string, line: number, text: string | undefined): readonly Lock[] {
  if (text === undefined) {
    throw new SpecError(`${file}:${line}: ${LOCKED}: expected names of options, for example "control-auth, uri"`);
  }
  const names = text.split(',').map((name) => name.trim());
  return names.map((name) => ({ name: checkKey(file, line, name).name, origin: `${file}:${line}` }));
}

const SHAPES = { list: 'a list', map: 'a map', object: 'a JSON object', objects: 'a list of mappings' } as const;

const BLANK = /^ *(?:#.*)?$/;
/** Matches plain scalars that can only be read in one way, and quoted scalars without escapes. */
const PLAIN = /^([A-Za-z][A-Za-z-]*): +(?:([\w./][\w./:+=@%,{}-]*)|"([^"\\]*)"|'([^']*)') *(?: #.*)?$/;

interface FlatEntry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** @returns undefined if a YAML parser might read some line differently */
export function readFlat(text: string): readonly FlatEntry[] | undefined {
  const entries = new Map<string, FlatEntry>();
  let line = 0;
  for (const row of text.split(/\r?\n/)) {
    line++;
    if (BLANK.test(row)) continue;
    const match = PLAIN.exec(row);
    if (match === null) return undefined;
    const [, key = '', plain, double, single] = match;
    if (entries.has(key) || plain?.endsWith(':') === true || /^null$/i.test(plain ?? '')) return undefined;
    entries.set(key, { key, value: plain ?? double ?? single ?? '', line });
  }
  return [...entries.values()].filter(({ value }) => value !== '');
}

function given(file: string, line: number, name: OptionName, text: string): Given {
  return { name, text, origin: `${file}:${line}: ${name}`, source: 'config file' };
}

function checkKey(file: string, line: number, key: string): Option & { readonly name: OptionName } {
  const option = findOption(key);
  if (option !== undefined && option.only === undefined) return option;
  if (option !== undefined)
    throw new SpecError(`${file}:${line}: ${quote(key)} cannot be set in a config file: remove the line`);
  const allowed = OPTION_NAMES.filter((name) => (OPTIONS[name] as Option).only === undefined);
  throw new SpecError(
    `${file}:${line}: ${quote(key)} is not an option${didYouMean(key, allowed) || '; "proc_box --help" lists them'}`,
  );
}

function readPair(file: string, document: YamlDocument, { key, value, line }: YamlPair): readonly Given[] {
  const option = checkKey(file, line, key);
  const { yaml } = document;
  // A block scalar ends with a newline.
  const text = scalarText(yaml, value)?.replace(/\n$/, '');
  if (value === null || text === '' || (yaml.isScalar(value) && value.value === null)) return [];
  if (text !== undefined) return [given(file, line, option.name, text)];
  const shapes = option.shapes ?? [];
  if (yaml.isMap(value) && shapes.includes('object')) return [given(file, line, option.name, document.toJson(value))];
  if (yaml.isSeq(value) && shapes.includes('objects')) return [given(file, line, option.name, document.toJson(value))];
  const parts =
    yaml.isSeq(value) && shapes.includes('list')
      ? value.items.map((item) => scalarText(yaml, document.resolve(item)))
      : yaml.isMap(value) && shapes.includes('map')
        ? document.pairsOf(value).map((pair) => assignment(document, pair))
        : [undefined];
  if (parts.some((part) => typeof part !== 'string')) {
    const expected = ['one value', ...shapes.map((shape) => SHAPES[shape])].join(' or ');
    const example = option.default || `<${option.placeholder}>`;
    throw new SpecError(
      `${file}:${line}: ${option.name}: expected ${expected}, for example "${option.name}: ${example}"`,
    );
  }
  return parts.length === 0 ? [] : [given(file, line, option.name, parts.join(','))];
}

/** Returns `nofile=1024:4096` for the pair `nofile: 1024:4096`. */
function assignment(document: YamlDocument, { key, value }: YamlPair): string | undefined {
  const text = scalarText(document.yaml, value);
  return typeof text === 'string' ? `${key}=${text}` : undefined;
}
