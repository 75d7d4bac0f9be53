/**
 * Keeps JSON as it was given. JSON.parse turns every number into a double: it rounds 64-bit ids, makes 1e400 infinite, and
 * loses the form of -0 and 1.0. So a value remembers its text if the text says more than the value.
 */

/** A global symbol, because each bundle has its own copy of this file. */
const TEXT = Symbol.for('proc_box.json');
const STRINGS_AND_SPACE = /"(?:[^"\\]|\\.)*"|\s+/g;

/** Attaches the text from which `value` was parsed, unless JSON.stringify() would return the same. */
export function withText<V extends object>(value: V, text: string): V {
  const given = minified(text);
  return JSON.stringify(value) === given ? value : Object.defineProperty(value, TEXT, { value: given });
}

/** Puts JSON text on one line and keeps its numbers as they are. */
export function minified(text: string): string {
  return text.replaceAll(STRINGS_AND_SPACE, (part) => (part.startsWith('"') ? part : ''));
}

/**
 * Puts the user data back as it was given.
 * @param json text of an object that has `value` as its `UserData`
 */
export function withUserData(json: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || !(TEXT in value)) return json;
  // Inside a string the quotes would be escaped, so this can only be the key.
  return json.replaceAll(`"UserData":${JSON.stringify(value)}`, () => `"UserData":${value[TEXT]}`);
}
