import type * as Yaml from 'yaml';
import { SpecError } from '../errors.js';

/** Loads the YAML parser. That takes 12 ms even when it is bundled, so it is loaded only if a file needs it. */
export type YamlLoader = () => typeof Yaml;

/** A parsed file with the line numbers of its keys. */
export interface YamlDocument {
  readonly yaml: typeof Yaml;
  /** The keys and values of the file's mapping; empty for an empty file. */
  readonly pairs: readonly YamlPair[];
  pairsOf(map: Yaml.YAMLMap): readonly YamlPair[];
  /** Returns the node that an alias stands for, or the node itself. */
  resolve(node: unknown): unknown;
  toJson(node: Yaml.Node): string;
}

export interface YamlPair {
  readonly key: string;
  readonly value: unknown;
  /** The line of the key, from 1. */
  readonly line: number;
}

const EXPECTED = 'expected lines of "key: value"';
const PROBLEMS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key occurs twice: remove one of the two',
  MULTIPLE_DOCS: 'a second document begins here: keep one, without "---"',
};

/**
 * @param file path for messages, which never repeat the file's text because it may hold a password
 * @throws SpecError that names file and line, if the text is not YAML 1.2 or not a mapping
 */
export function parseYaml(file: string, text: string, yaml: typeof Yaml): YamlDocument {
  const lineCounter = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' });
  const lineAt = (offset: number | undefined) => lineCounter.linePos(offset ?? 0).line;
  const [error] = document.errors;
  if (error !== undefined) {
    const problem =
      PROBLEMS[error.code] ?? `not valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')}): ${EXPECTED}`;
    throw new SpecError(`${file}:${lineAt(error.pos[0])}: ${problem}`);
  }
  const resolve = (node: unknown) => (yaml.isAlias(node) ? node.resolve(document) : node);
  const pairsOf = (map: Yaml.YAMLMap) =>
    map.items.map(({ key, value }) => ({
      key: yaml.isScalar(key) ? (key.source ?? String(key.value)) : '',
      value: resolve(value),
      line: lineAt(yaml.isNode(key) ? key.range?.[0] : undefined),
    }));
  const { contents } = document;
  if (contents !== null && !yaml.isMap(contents) && !(yaml.isScalar(contents) && contents.value === null)) {
    throw new SpecError(`${file}:1: not a mapping: ${EXPECTED}`);
  }
  return {
    yaml,
    pairs: yaml.isMap(contents) ? pairsOf(contents) : [],
    pairsOf,
    resolve,
    toJson(node) {
      try {
        return toJson(yaml, document, node);
      } catch (cause) {
        // An alias refers to itself, or the aliases multiply so that they would fill the memory.
        const line = lineAt(node.range?.[0]);
        throw new SpecError(`${file}:${line}: the aliases cannot be resolved: write out the values`, { cause });
      }
    },
  };
}

/**
 * Returns the text of a scalar as it was written: `0x10` and `True` stay as they are.
 * @returns null for YAML's null, undefined if the node is not a scalar
 */
export function scalarText(yaml: typeof Yaml, node: unknown): string | null | undefined {
  if (node === null) return null;
  if (!yaml.isScalar(node)) return undefined;
  if (node.value === null) return null;
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

const MARK = '\0number:';
const MARKED = /"\\u0000number:([^"]*)"/g;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Keeps numbers as they were written, because doubles would round 64-bit ids. */
function toJson(yaml: typeof Yaml, document: Yaml.Document, node: Yaml.Node): string {
  yaml.visit(node, {
    Scalar(key, scalar) {
      if (key !== 'key' && typeof scalar.value === 'number')
        scalar.value = MARK + numberText(scalar.value, scalar.source);
    },
  });
  return JSON.stringify(node.toJS(document)).replaceAll(MARKED, '$1');
}

/** Converts numbers that are valid only in YAML, such as `+5` and `0x10`. */
function numberText(value: number, source = ''): string {
  if (JSON_NUMBER.test(source)) return source;
  if (!Number.isFinite(value)) return 'null';
  return Number.isInteger(value) && /^(?:0[xo][\da-fA-F]+|\d+)$/.test(source) ? String(BigInt(source)) : String(value);
}
