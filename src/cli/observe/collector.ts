import { isFields, listAt, objectAt, textAt } from '../../observe/model/fields.js';
import { Collector } from '../../observe/source/collector.js';
import type { TopRow } from '../../observe/top/row.js';
import type { Action } from '../../observe/top/view.js';
import { type Files, readSecret } from '../../options/files.js';
import type { VerbOption } from '../../options/verb-words.js';
import { targetOf } from './command.js';

/** The collector of `top`, `watch` and `report`. */

export const COLLECTOR = {
  collector: {
    placeholder: 'address',
    help: 'ask this collector instead of the broker: http://host:port, with or without ?token=, or the path of its socket',
  },
  'token-file': { placeholder: 'path', help: 'file with your token for the collector; mode 0600' },
} as const satisfies Readonly<Record<string, VerbOption & { readonly help: string }>>;

/** @returns undefined if none was asked for. @throws SpecError */
export function collectorOf(own: ReadonlyMap<string, string>, files: Files): Collector | undefined {
  const address = own.get('collector');
  if (address === undefined) return undefined;
  const file = own.get('token-file');
  // A line of the collector's own file has the user's name first.
  const token = file === undefined ? undefined : readSecret(files, file, '--token-file').trim().split(/\s+/).pop();
  return new Collector(address, token);
}

/** Sends a command through the collector. Never rejects. */
export async function commandThrough(
  collector: Collector,
  action: Action,
  row: TopRow,
  wholeJob: boolean,
): Promise<{ readonly text: string; readonly isError: boolean }> {
  try {
    const body = { command: action, target: targetOf(row, wholeJob) };
    const answers = listAt(objectAt(await collector.post('/commands', body))['answers'], 100_000).filter(isFields);
    const refused = answers.filter(({ ok }) => ok !== true);
    if (answers.length === 0) return { text: 'no answer; the command may have been carried out', isError: true };
    const why =
      refused.length === 0 ? '' : `, ${refused.length} refused: ${textAt(objectAt(refused[0]!['error'])['message'])}`;
    return { text: `${action}: done by ${answers.length - refused.length}${why}`, isError: refused.length > 0 };
  } catch (error) {
    return { text: (error as Error).message, isError: true };
  }
}
