import type { BoxSpec } from '../options/spec.js';
import { redactUri } from '../options/uri.js';
import type { Failure } from './failure.js';

/** Log lines about a box's link to the broker. */

/** Kinds of failures that both links meet alike. */
const OUT_OF_REACH = ['refused', 'name', 'silent'];

/**
 * Both links go to the same host, so the log says only once that it is out of reach. For the default broker, which the
 * user has not asked for, it gives one warning in all.
 * @returns tells whether a failure has been logged before
 */
export function onceFor(asked: boolean): (failure: Failure) => boolean {
  const told = new Set<string>();
  return ({ kind }) => {
    if (asked && !OUT_OF_REACH.includes(kind)) return false;
    const key = asked ? kind : '';
    const before = told.has(key);
    told.add(key);
    return before;
  };
}

/** The broker refuses an answer; samples and events have a channel of their own and are not affected. */
export function refusedAnswer(error: Error, { replyExchange }: Pick<BoxSpec, 'replyExchange'>): string {
  const why = /"([A-Z_]+ - [^"]*)"/.exec(error.message)?.[1] ?? error.message;
  const remedy =
    replyExchange === ''
      ? 'grant the permission, or name an exchange that this user may write to with --reply-exchange (docs/security.md)'
      : 'the exchange must exist, and this user must be allowed to write to it (docs/security.md)';
  return `control: the broker refuses our answers: ${redactUri(why)}: ${remedy}; commands are still carried out`;
}

export function noTopicExchange(exchange: string): string {
  return `control: exchange "${exchange}" does not route this box's keys to its queue, so commands do not reach it: is it a topic exchange (--exchange), or does somebody keep deleting it?`;
}
