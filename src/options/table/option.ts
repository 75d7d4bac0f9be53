/** A row of the options table. */
export interface Option<V = unknown> {
  /** The kind of text that it takes. `boolean` options take no text, or `=false`. */
  readonly type: ValueType;
  /** The name of the value in `--help`. */
  readonly placeholder?: string;
  /** As a user would type it; empty means not set. */
  readonly default: string;
  readonly help: string;
  /** @throws SpecError that says what is expected, with an example */
  readonly parse: (text: string) => V;
  /** The option may be given several times; every occurrence in every source counts. */
  readonly repeatable?: true;
  /** Where the option may be given. @default everywhere */
  readonly only?: 'command line' | 'not in a file';
  /** Shapes that the config file accepts besides a scalar: a list or map of strings, a JSON object, or a list of these. */
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
