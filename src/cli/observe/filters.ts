import { type Filter, filterOf } from '../../observe/source/filter.js';
import type { VerbOption } from '../../options/verb-words.js';

/** The options of `top` and `watch` that say which boxes to show. */

export const FILTERS = {
  user: {
    placeholder: 'name',
    help: 'only boxes of this user; here and below, several values are separated by commas',
  },
  job: { placeholder: 'id', help: 'only boxes of this job: 1234 also means all tasks of the array 1234' },
  host: { placeholder: 'name', help: 'only boxes of this host, with or without its domain' },
  box: { placeholder: 'id', help: 'only this box' },
  state: { placeholder: 'state', help: 'only boxes in this state: running, suspended, stopping, ended or silent' },
} as const satisfies Readonly<Record<string, VerbOption & { readonly help: string }>>;

const NAMES = Object.keys(FILTERS) as readonly (keyof typeof FILTERS)[];

export function filterFrom(own: ReadonlyMap<string, string>): Filter {
  return filterOf(NAMES.flatMap((name) => (own.has(name) ? [[name, own.get(name)!] as const] : [])));
}

/** A value that names one thing and no pattern. */
export function single(own: ReadonlyMap<string, string>, name: keyof typeof FILTERS): string | undefined {
  const text = own.get(name);
  return text === undefined || /[*,]/.test(text) ? undefined : text;
}
