import type { Given } from './resolve.js';
import { OPTION_NAMES, OPTIONS, type Option, variableName } from './table.js';
import { didYouMean, quote } from './words.js';

/**
 * Reads options from `PBOX_*` variables. An empty variable counts as not set. If a name occurs twice, the first one counts, as
 * in getenv(3). A variable without an option is only a warning, because it may belong to another version.
 * @param settings `NAME=value` entries
 */
export function readSettings(settings: readonly string[]): {
  readonly given: readonly Given[];
  readonly warnings: readonly string[];
} {
  const given: Given[] = [];
  const warnings: string[] = [];
  if (settings.length === 0) return { given, warnings };
  const names = new Map(
    OPTION_NAMES.filter((name) => (OPTIONS[name] as Option).only !== 'command line').map((name) => [
      variableName(name),
      name,
    ]),
  );
  const seen = new Set<string>();
  for (const entry of settings) {
    const at = entry.indexOf('=');
    const variable = entry.slice(0, at);
    const text = entry.slice(at + 1);
    if (at < 0 || seen.has(variable)) continue;
    seen.add(variable);
    const name = names.get(variable);
    if (name === undefined) {
      warnings.push(
        `the variable ${quote(variable)} has no effect: no option is read from it${didYouMean(variable, names.keys())}`,
      );
    } else if (text !== '') {
      given.push({ name, text, origin: variable, source: 'environment' });
    }
  }
  return { given, warnings };
}
