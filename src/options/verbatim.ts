/**
 * JSON as it was given. JSON.parse makes a double of every number: 64 bit ids are rounded by it, 1e400 becomes infinite,
 * -0 and 1.0 lose what they were written with. A value remembers its text where that says more than the value does.
 */

/** For all bundles: each has a copy of this file. */
const TEXT = Symbol.for('proc_box.json');
const STRINGS_AND_SPACE = /"(?:[^"\\]|\\.)*"|\s+/g;

/** @param text from which `value` was parsed */
export function withText<V extends object>(value: V, text: string): V {
  const given = minified(text);
  return JSON.stringify(value) === given ? value : Object.defineProperty(value, TEXT, { value: given });
}

/** @param text which is JSON @returns it on one line, with its numbers as they are */
export function minified(text: string): string {
  return text.replaceAll(STRINGS_AND_SPACE, (part) => (part.startsWith('"') ? part : ''));
}

/**
 * @param json of an object that has `value` as its `UserData`
 * @returns it with the value as it was given
 */
export function withUserData(json: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || !(TEXT in value)) return json;
  // In a text the quotes would be escaped: this is the key and nothing else.
  return json.replaceAll(`"UserData":${JSON.stringify(value)}`, () => `"UserData":${value[TEXT]}`);
}
