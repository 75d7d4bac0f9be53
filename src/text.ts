/** Foreign text on its way to a terminal, a log or a table: names, job ids, paths, answers, a broker's words. */

/** Most texts: nothing in them needs a look. */
const HARMLESS = /^[ -~]*$/;
/**
 * What a terminal obeys or does not show: C0, DEL and C1, format characters (bidi overrides, zero width, tags), line and
 * paragraph separators, halves of surrogate pairs, private use, and whatever else Unicode has to be ignored.
 */
function unsafe(): RegExp {
  // Not a constant: creating it looks up Unicode's tables, half a millisecond of every launch.
  return /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
}
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * The text on one line, with nothing in it that a terminal would obey or hide: such characters are written as JSON writes
 * them, `\n` or `\u001b`. JSON text stays JSON, with the same value.
 */
export function printable(text: string): string {
  return HARMLESS.test(text) ? text : text.replaceAll(unsafe(), escapeOne);
}

/** A value as JSON for a terminal, a log or a table: see `printable`. @param indent as of JSON.stringify. @default one line */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).split('\n').map(printable).join('\n');
}

function escapeOne(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return SHORT[character] ?? units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/**
 * Any text with the passwords of the URIs in it replaced by `***`. Where it is not certain how far a password reaches,
 * everything up to the last `@` is taken out.
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
