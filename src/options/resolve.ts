import { isSpecError, SpecError } from '../errors.js';
import type { Source } from './spec.js';
import { OPTION_NAMES, OPTIONS, type Option, type OptionName, type OptionValue } from './table.js';

/** An option's text as a source gave it. */
export interface Given {
  readonly name: OptionName;
  readonly text: string;
  /** For messages: the flag, the variable, or file, line and key. */
  readonly origin: string;
  readonly source: Source;
}

/** An option's value and where it came from. */
export interface Resolved<V> {
  readonly value: V;
  readonly source: Source;
  /** As in `Given`; the flag for a default. */
  readonly origin: string;
}

export type ResolvedOptions = { readonly [N in OptionName]: Resolved<OptionValue<N>> };

/**
 * Parses every given text, even if a stronger source overrides it, and picks the value that counts.
 * @param given ordered from the weakest source to the strongest
 * @throws SpecError that names the origin of the text
 */
export function resolveOptions(given: readonly Given[]): ResolvedOptions {
  const resolved: Partial<Record<OptionName, Resolved<unknown>>> = {};
  for (const name of OPTION_NAMES) {
    const option: Option = OPTIONS[name];
    const own = given.filter((item) => item.name === name);
    const values = own.map((item) => parseGiven(option, item));
    const last = own.at(-1);
    if (last === undefined) resolved[name] = new Default(option, `--${name}`);
    else
      resolved[name] = {
        value: option.repeatable === true ? values.flat() : values.at(-1),
        source: last.source,
        origin: last.origin,
      };
  }
  return resolved as ResolvedOptions;
}

/** Parses a default only when it is read, because another option may replace it, as `uri-file` replaces `uri`. */
class Default implements Resolved<unknown> {
  readonly source = 'default';
  readonly #option: Option;

  constructor(
    option: Option,
    readonly origin: string,
  ) {
    this.#option = option;
  }

  get value(): unknown {
    if (this.#option.repeatable === true) return [];
    return this.#option.default === '' ? undefined : this.#option.parse(this.#option.default);
  }
}

function parseGiven(option: Option, { text, origin }: Given): unknown {
  return naming(origin, () => option.parse(text));
}

/** Runs `parse` and puts `origin` before the message of its SpecError. @throws SpecError */
export function naming<V>(origin: string, parse: () => V): V {
  try {
    return parse();
  } catch (cause) {
    if (!isSpecError(cause)) throw cause;
    throw new SpecError(`${origin}: ${cause.message}`, { cause });
  }
}
