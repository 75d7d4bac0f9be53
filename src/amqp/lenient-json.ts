/**
 * JSON, and JSON with a comma before a closing brace or bracket, as in the original README's example.
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

/** Blanks each comma that stands after a value and, but for white space, before `}` or `]`. Strings stay as they are. */
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
