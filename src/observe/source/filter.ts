/** Which boxes are shown: `user:alice job:1234 state:suspended bwa`. Words without a key look into every field. */

export const FILTER_KEYS = ['user', 'job', 'host', 'state', 'box', 'step', 'task', 'queue', 'cluster'] as const;
export type FilterKey = (typeof FILTER_KEYS)[number];

/** What a filter looks at. */
export type Filtered = { readonly [Key in FilterKey]?: string | null } & { readonly command?: string | null };

export interface Filter {
  /** A box must fit every key; one of several values of a key is enough. */
  readonly keys: ReadonlyMap<FilterKey, readonly string[]>;
  /** In lower case; each must be a part of some field. */
  readonly words: readonly string[];
}

export const EVERYTHING: Filter = { keys: new Map(), words: [] };

/** Parses what a user has typed. An unknown key is a word like any other. */
export function parseFilter(text: string): Filter {
  const keys = new Map<FilterKey, readonly string[]>();
  const words: string[] = [];
  for (const part of text.split(/\s+/).filter((word) => word !== '')) {
    const colon = part.indexOf(':');
    const key = FILTER_KEYS.find((name) => name === part.slice(0, colon).toLowerCase());
    if (key === undefined || colon === part.length - 1) words.push(part.toLowerCase());
    else keys.set(key, [...(keys.get(key) ?? []), ...part.slice(colon + 1).split(',')]);
  }
  return { keys, words };
}

/** @param given values by key; several of one key are separated by commas */
export function filterOf(given: Iterable<readonly [FilterKey, string]>): Filter {
  return { keys: new Map([...given].map(([key, text]) => [key, text.split(',')])), words: [] };
}

export function filterText({ keys, words }: Filter): string {
  return [...[...keys].map(([key, values]) => `${key}:${values.join(',')}`), ...words].join(' ');
}

/** Both filters at once. */
export function bothFilters(a: Filter, b: Filter): (what: Filtered) => boolean {
  return (what) => fits(a, what) && fits(b, what);
}

export function fits({ keys, words }: Filter, what: Filtered): boolean {
  for (const [key, values] of keys) {
    if (!values.some((value) => isNamed(key, value, what[key] ?? ''))) return false;
  }
  return words.every((word) => TEXTS.some((key) => (what[key] ?? '').toLowerCase().includes(word)));
}

const TEXTS = ['user', 'job', 'host', 'state', 'box', 'step', 'task', 'queue', 'command'] as const;

/**
 * `*` stands for any text. An array's id names its tasks (`1234` is also `1234_7`, and `1234[7]` of PBS), and a host may be
 * named without its domain.
 */
function isNamed(key: FilterKey, pattern: string, value: string): boolean {
  if (like(pattern, value)) return true;
  if (key === 'job') return like(`${pattern}_*`, value) || like(`${pattern}[*`, value);
  if (key === 'host') return like(`${pattern}.*`, value);
  return key === 'state' && pattern !== '' && value.startsWith(pattern.toLowerCase());
}

/** Matches `*` without a regular expression: names come from the network, and patterns from anybody. */
export function like(pattern: string, value: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === value;
  if (!value.startsWith(first)) return false;
  const last = rest.pop()!;
  let at = first.length;
  for (const part of rest) {
    const found = value.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return value.length - last.length >= at && value.endsWith(last);
}
