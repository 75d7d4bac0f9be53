/**
 * Readers of single fields of a foreign message. They never throw: a field that is missing, of another type or out of range is
 * null, so that one odd field does not cost the rest of a message.
 */

export type Fields = Readonly<Record<string, unknown>>;

/** Longest name (user, host, job, box, ...) that is kept, in UTF-16 units. */
export const NAME_LENGTH_MAX = 256;
/** Longest other text that is kept, such as the line that says why a job ended. */
export const TEXT_LENGTH_MAX = 4_096;

/** @returns an object that is no array; an empty one for anything else */
export function objectAt(value: unknown): Fields {
  return isFields(value) ? value : {};
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @returns a list; an empty one for anything else, and at most `most` of its elements */
export function listAt(value: unknown, most: number): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, most) : [];
}

/** @returns a finite number of at least 0 */
export function amountAt(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** @returns a finite number */
export function numberAt(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** @returns text that is not empty, cut to its longest, in well-formed Unicode without NUL, which no database takes */
export function textAt(value: unknown, most: number = TEXT_LENGTH_MAX): string | null {
  if (typeof value !== 'string' || value === '') return null;
  return wellFormed(value.length > most ? value.slice(0, most) : value);
}

/** @returns a name: text, or a number as its text */
export function nameAt(value: unknown): string | null {
  return textAt(typeof value === 'number' ? String(value) : value, NAME_LENGTH_MAX);
}

const HARMLESS = /^[\x20-\x7e]*$/;

function wellFormed(text: string): string {
  if (HARMLESS.test(text)) return text;
  return text.replaceAll(/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}
