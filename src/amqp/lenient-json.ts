/**
 * Parses JSON, and also JSON with a comma before a closing brace or bracket, as in an example of version 1's README.
 * @throws SyntaxError for everything else
 */
export function parseLenient(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const strict = withoutTrailingCommas(text);
    if (strict === text) throw error;
    return JSON.parse(strict);
  }
}

/** Replaces each comma between a value and `}` or `]` by a blank. Strings stay as they are. */
function withoutTrailingCommas(text: string): string {
  let result = '';
  let copied = 0;
  let comma = -1;
  let inString = false;
  let afterValue = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === ',') {
      comma = afterValue ? i : -1;
      afterValue = false;
    } else if (character === '}' || character === ']') {
      if (comma >= 0) {
        result += `${text.slice(copied, comma)} `;
        copied = comma + 1;
      }
      comma = -1;
      afterValue = true;
    } else if (!/\s/.test(character)) {
      inString = character === '"';
      comma = -1;
      afterValue = character !== '{' && character !== '[' && character !== ':';
    }
  }
  return result + text.slice(copied);
}

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:]/gs;

/**
 * Finds a key that occurs twice in one object, in any case: JSON.parse takes the last occurrence, other parsers the
 * first.
 * @param text JSON that `parseLenient` accepts
 * @returns the key in lower case; undefined if each occurs once
 */
export function repeatedKey(text: string): string | undefined {
  const objects: Set<string>[] = [];
  let last = '""';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') objects.push(new Set());
    else if (token === '}' || token === ']') objects.pop();
    else if (token === ':') {
      const key = String(JSON.parse(last)).toLowerCase();
      if (objects.at(-1)?.has(key)) return key;
      objects.at(-1)?.add(key);
    }
    last = token;
  }
  return undefined;
}
