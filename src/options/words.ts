import { printableJson, redactUri } from '../text.js';

/** Helps to word messages to the user: quotes values, and finds the known word that was probably meant. */

const SHOWN_CHARACTERS = 60;

/** Quotes a user's value for a message: escaped, on one line, cut after 60 characters, with masked passwords of URIs. */
export function quote(text: string): string {
  const shown = redactUri(text);
  return printableJson(shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…` : shown);
}

/**
 * Finds the candidate that was probably meant: the one that is equal except for case, `-` and `_`; otherwise the nearest with
 * at most one edit per three characters; otherwise the only one that begins with the word, if that has three characters.
 * @returns undefined if no candidate is near
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

/** Returns `; did you mean "sint"?`, or '' if no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>, shown = (name: string) => `"${name}"`): string {
  const near = nearName(word, candidates);
  return near === undefined ? '' : `; did you mean ${shown(near)}?`;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Counts the edits of one character (insert, delete, replace, swap of neighbours) from `a` to `b`. */
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
