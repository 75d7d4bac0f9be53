import { eastAsianWidth } from 'get-east-asian-width';
import { printable } from '../../text.js';

/** Text in cells: how wide it is on a terminal, and how it is made to fit. */

/** Matches text that takes one cell for each UTF-16 unit. */
const SIMPLE = /^[ -~]*$/;
/** Text from the network may have any length. Longer text is cut before anything else looks at it. */
const TEXT_MAX = 512;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7e;

/**
 * Makes foreign text harmless: on one line, bounded, without anything that a terminal obeys or hides.
 * @param utf8 false replaces every character outside ASCII by `?`
 */
export function cellText(text: string, utf8: boolean): string {
  const bounded = text.length > TEXT_MAX ? text.slice(0, TEXT_MAX).toWellFormed() : text;
  if (SIMPLE.test(bounded)) return bounded;
  const safe = printable(bounded);
  return utf8 ? safe : asciiOf(safe);
}

/** `?` for each character outside ASCII. */
export function asciiOf(text: string): string {
  if (SIMPLE.test(text)) return text;
  return Array.from(text, (character) => {
    const code = character.codePointAt(0)!;
    return code >= FIRST_PRINTABLE && code <= LAST_ASCII ? character : '?';
  }).join('');
}

/** Cells that the text takes. Combining marks take none, and East Asian wide characters take two. */
export function widthOf(text: string): number {
  if (SIMPLE.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/**
 * Cuts or pads the text to exactly this many cells. Where something is cut off, the last cell says so.
 * @param align `right` for numbers. @default left
 */
export function fit(text: string, width: number, utf8: boolean, align: 'left' | 'right' = 'left'): string {
  if (width <= 0) return '';
  const taken = widthOf(text);
  const shown = taken <= width ? text : cut(text, width, utf8);
  const gap = ' '.repeat(width - (taken <= width ? taken : widthOf(shown)));
  return align === 'right' ? gap + shown : shown + gap;
}

/** The longest beginning of the text that fits, with a mark at its end. Takes at most `width` cells. */
function cut(text: string, width: number, utf8: boolean): string {
  const mark = utf8 ? '\u2026' : '~';
  let result = '';
  let taken = 0;
  for (const character of text) {
    const more = characterWidth(character);
    if (taken + more > width - 1) break;
    result += character;
    taken += more;
  }
  return result + mark;
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0)!;
  if (code <= LAST_ASCII) return 1;
  if (/[\p{Mn}\p{Me}]/u.test(character)) return 0;
  return eastAsianWidth(code);
}
