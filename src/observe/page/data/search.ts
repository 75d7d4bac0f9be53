/** The search of the boxes' table: text, with `user:`, `job:`, `host:` or `state:` before a word that must be the whole name. */
import { BOX_STATES } from '../../model/observed.js';

/** Parameters of the API's list of boxes. */
export interface Search {
  readonly q?: string;
  readonly user?: string;
  readonly job?: string;
  readonly host?: string;
  readonly state?: string;
  readonly silent?: string;
}

const STATES: readonly string[] = BOX_STATES;
/** The API takes no longer text. */
const TEXT_MAX = 256;

/** Parses what is typed. A word that is not `field:value` belongs to the text; the last of several values of a field counts. */
export function parseSearch(text: string): Search {
  const found: Record<string, string> = {};
  const plain: string[] = [];
  for (const word of text.split(/\s+/).filter((each) => each !== '')) {
    const [, field = '', value = ''] = /^(user|job|host|state|silent):(.+)$/i.exec(word) ?? [];
    const name = field.toLowerCase();
    if (name === '') plain.push(word);
    else if (name === 'state' && !STATES.includes(value.toLowerCase())) plain.push(word);
    else if (name === 'silent') found['silent'] = /^(yes|true)$/i.test(value) ? 'true' : 'false';
    else found[name] = name === 'state' ? value.toLowerCase() : value;
  }
  const q = plain.join(' ').slice(0, TEXT_MAX);
  return q === '' ? found : { ...found, q };
}
