import { SpecError } from '../errors.js';
import { COMMAND_NAMES } from './table/commands.js';
import { didYouMean, quote } from './words.js';

/** Who may command a box: `--control-auth` and `--control-rules`. */

export type ControlAuth = 'broker' | 'user' | 'signed';

/** Allows the users that match a pattern in `users` to give the commands that match a pattern in `commands`. */
export interface ControlRule {
  /** Broker users; `*` stands for any characters, `{owner}` for the job's user. */
  readonly users: readonly string[];
  /** Names of commands; `*` stands for any characters. */
  readonly commands: readonly string[];
}

/** The job's owner may give every command, and nobody else may give any. */
export const DEFAULT_RULES = '[{"users": ["{owner}"], "commands": ["*"]}]';

const EXAMPLE = `for example '[{"users": ["{owner}"], "commands": ["status", "suspend"]}, {"users": ["op-*"], "commands": ["*"]}]'`;
const RULE_KEYS = ['users', 'commands'];

/** @throws SpecError */
export function parseControlAuth(text: string): ControlAuth {
  if (text === 'broker' || text === 'user' || text === 'signed') return text;
  throw new SpecError(`${quote(text)} is not a way to authorise: expected broker, user or signed`);
}

/** Parses a JSON list of rules; an empty list admits nobody. @throws SpecError that names the rule */
export function parseControlRules(text: string): readonly ControlRule[] {
  let rules: unknown;
  try {
    rules = JSON.parse(text);
  } catch (cause) {
    throw new SpecError(`${quote(text)} is not JSON: ${EXAMPLE}`, { cause });
  }
  if (!Array.isArray(rules)) throw new SpecError(`${quote(text)} is not a list of rules: ${EXAMPLE}`);
  return rules.map((rule: unknown, index) => {
    const where = `rule ${index + 1}`;
    if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) {
      throw new SpecError(`${where} is not an object with users and commands: ${EXAMPLE}`);
    }
    const stray = Object.keys(rule).find((key) => !RULE_KEYS.includes(key));
    if (stray !== undefined) {
      throw new SpecError(`${where} has an unknown key ${quote(stray)}${didYouMean(stray, RULE_KEYS)}: ${EXAMPLE}`);
    }
    const { users, commands } = rule as { users?: unknown; commands?: unknown };
    return {
      users: patternList(users, `${where}: users`),
      commands: commandPatterns(commands, `${where}: commands`),
    };
  });
}

/** Checks patterns for command names. @throws SpecError if a pattern matches no command */
export function commandPatterns(value: unknown, where: string): readonly string[] {
  const patterns = patternList(value, where);
  const empty = patterns.find((pattern) => !COMMAND_NAMES.some((name) => matchesPattern(pattern, name)));
  if (empty === undefined) return patterns;
  throw new SpecError(`${where}: ${quote(empty)} matches no command${didYouMean(empty, COMMAND_NAMES)}`);
}

/** Checks a list of non-empty strings. @throws SpecError */
export function patternList(value: unknown, where: string): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')) return value;
  throw new SpecError(`${where}: expected a list of names, in which * stands for any characters, for example ["*"]`);
}

/**
 * Whether the pattern matches the whole text; `*` stands for any number of characters. The time is proportional to the length
 * of the text, whatever the pattern.
 * @param owner replaces `{owner}` in the pattern; none of its characters is special
 */
export function matchesPattern(pattern: string, text: string, owner?: string): boolean {
  const literal = (part: string) => (owner === undefined ? part : part.replaceAll('{owner}', () => owner));
  const [first = '', ...rest] = pattern.split('*').map(literal);
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
