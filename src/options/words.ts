import { printableJson, redactUri } from '../text.js';

/** Words in messages to the user: how a value is shown, and which known word was probably meant. */

const SHOWN_CHARACTERS = 60;

/** A user's value for a message: quoted, escaped, one line, at most 60 characters of it, passwords of URIs masked. */
export function quote(text: string): string {
  const shown = redactUri(text);
  return printableJson(shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…` : shown);
}

/**
 * The candidate that was probably meant: equal but for case, `-` and `_`; else at most one edit in three characters
 * away; else the only one that begins with at least three characters of the word.
 * @returns undefined where none is near
 */
export function nearName(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = fold(word.slice(0, SHOWN_CHARACTERS));
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  const beginning: string[] = [];
  for (const candidate of candidates) {
    const name = fold(candidate);
    if (wanted.length >= 3 && name.startsWith(wanted)) beginning.push(candidate);
    const distance = editDistance(wanted, name);
    if (distance < bestDistance && distance < name.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? (beginning.length === 1 ? beginning[0] : undefined);
}

/** `; did you mean "sint"?`, or nothing where no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>, shown = (name: string) => `"${name}"`): string {
  const near = nearName(word, candidates);
  return near === undefined ? '' : `; did you mean ${shown(near)}?`;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Edits of one character (insert, delete, replace, swap of neighbours) from `a` to `b`. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
