import { isFields, objectAt } from '../model/fields.js';
import { parseJson } from '../model/json.js';
import type { ObservedIdentity, ObservedSample } from '../model/observed.js';
import { parseValue, readIdentity } from '../model/parse.js';

/** A box's answer to `status` (docs/messages.md), which is foreign input like every message. */
export interface StatusAnswer {
  readonly ok: boolean;
  /** Null if the box has refused, or does not say who it is. */
  readonly identity: ObservedIdentity | null;
  readonly result: unknown;
  readonly sample: ObservedSample | null;
  /** Why the box has refused; `unknown` if it does not say. */
  readonly code: string;
}

const LONGEST = 1024 * 1024;

/** @returns undefined if this is no answer */
export function readAnswer(text: string): StatusAnswer | undefined {
  if (text.length > LONGEST) return undefined;
  const value = parseJson(text);
  if (!isFields(value) || typeof value['ok'] !== 'boolean') return undefined;
  const { ok, result, error } = value;
  const code = objectAt(error)['code'];
  const fields = objectAt(result);
  const sample = parseValue(fields['sample']);
  return {
    ok,
    identity: ok ? readIdentity(fields['identity']) : null,
    result,
    sample: sample.kind === 'sample' ? sample : null,
    code: typeof code === 'string' ? code : 'unknown',
  };
}
