/** What a terminal can show: decided once from the environment. */
export interface Look {
  /** The locale is UTF-8; otherwise everything is printed in ASCII. */
  readonly utf8: boolean;
  readonly color: boolean;
  /** No bold or reverse text either: for pipes and files. */
  readonly bare?: true;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** ASCII without any style. */
export const PLAIN: Look = { utf8: false, color: false, bare: true };

/** @param isTerminal whether the output is one; a pipe or a file gets text without any style */
export function lookFor(look: Look, isTerminal: boolean): Look {
  return isTerminal ? look : { utf8: look.utf8, color: false, bare: true };
}

/**
 * Reads the locale as setlocale(3) does, `NO_COLOR` (no-color.org), and `TERM`.
 * @param ascii `--ascii`: print ASCII whatever the locale is
 */
export function lookOf(environment: Environment, ascii = false): Look {
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  const noColor = environment['NO_COLOR'];
  const term = environment['TERM'];
  return {
    utf8: !ascii && /utf-?8/i.test(locale),
    color: (noColor === undefined || noColor === '') && term !== undefined && !/^(?:dumb|vt\d+)?$/.test(term),
  };
}

/** Whether the terminal can move its cursor, which a screen needs. */
export function canMove(environment: Environment): boolean {
  const term = environment['TERM'] ?? '';
  return term !== '' && term !== 'dumb';
}
