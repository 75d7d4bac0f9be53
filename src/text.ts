/** Makes foreign text safe for a terminal, a log or a table: names, job ids, paths, answers, a broker's messages. */

/** Matches most texts, which need no escaping. */
const HARMLESS = /^[ -~]*$/;
/**
 * Matches the characters that a terminal obeys or hides: C0, DEL and C1, format characters (bidi overrides, zero width,
 * tags), line and paragraph separators, lone surrogates, private use, and everything else that Unicode calls ignorable.
 */
function unsafe(): RegExp {
  // Not a constant, because creating it looks up Unicode's tables, which would cost every launch half a millisecond.
  return /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
}
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Returns the text on one line, without characters that a terminal would obey or hide: it writes these as JSON does, as `\n`
 * or `\u001b`. JSON text stays JSON with the same value.
 */
export function printable(text: string): string {
  return HARMLESS.test(text) ? text : text.replaceAll(unsafe(), escapeOne);
}

/** Formats a value as JSON that is safe in the same way. @param indent as for JSON.stringify. @default one line */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).split('\n').map(printable).join('\n');
}

function escapeOne(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return SHORT[character] ?? units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/**
 * Replaces the passwords of all URIs in a text with `***`. If it is uncertain where a password ends, everything up to the
 * last `@` is replaced.
 */
export function redactUri(text: string): string {
  if (!text.includes('://')) return text;
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)([\s\S]*)@/gi, (_, scheme: string, credentials: string) => {
      const plain = /^([^\s:@/,'"]*)(:[^\s:@/,'"]*)?$/.exec(credentials);
      return `${scheme}${plain === null ? '***' : `${plain[1]}${plain[2] === undefined ? '' : ':***'}`}@`;
    })
    .replaceAll(/(:\/\/(?!\[[\da-f:.]+\])[^\s:/?#@,'"]*:)(?!\d{1,5}(?:[/?#,'"\s:);.]|$)|\*\*\*@)\S+/gi, '$1***');
}
