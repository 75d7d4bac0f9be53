/** A row of the options table. */
export interface Option<V = unknown> {
  /** What kind of text it takes; `boolean` options take none, or `=false`. */
  readonly type: ValueType;
  /** Name of the value in `--help`. */
  readonly placeholder?: string;
  /** As a user would type it; empty means not set. */
  readonly default: string;
  readonly help: string;
  /** @throws SpecError that says what is expected, with an example */
  readonly parse: (text: string) => V;
  /** May be given several times; every occurrence and every source counts. */
  readonly repeatable?: true;
  /** Where it may be given. @default everywhere */
  readonly only?: 'command line' | 'not in a file';
  /** Shapes that the config file takes beside a scalar: a list of texts, a map of name to text, JSON's object or list of them. */
  readonly shapes?: readonly ('list' | 'map' | 'object' | 'objects')[];
}

export type ValueType =
  | 'boolean'
  | 'count'
  | 'duration'
  | 'JSON'
  | 'limit'
  | 'path'
  | 'signal'
  | 'size'
  | 'text'
  | 'URI';
