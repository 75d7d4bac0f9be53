import type { BoxSpec } from '../options/spec.js';
import { redactUri } from '../options/uri.js';
import type { Failure } from './failure.js';

/** What the log says of a box's link to the broker. */

/** Kinds of failures. */
const OUT_OF_REACH = ['refused', 'name', 'silent'];

/** Both links meet the same host: that it is out of reach is told once, and of a broker that nobody asked for no more than that. */
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

/** What the broker has against an answer; statistics have a channel of their own and go on. */
export function refusedAnswer(error: Error, { replyExchange }: BoxSpec): string {
  const why = /"([A-Z_]+ - [^"]*)"/.exec(error.message)?.[1] ?? error.message;
  const remedy =
    replyExchange === ''
      ? 'give the permission, or an exchange that this user may write with --reply-exchange (docs/security.md)'
      : 'it must exist, and this user must be allowed to write it (docs/security.md)';
  return `control: the broker refuses our answers: ${redactUri(why)}: ${remedy}; commands are carried out all the same`;
}

export function noTopicExchange(exchange: string): string {
  return `control: exchange "${exchange}" does not route this box's keys to its queue, so commands do not reach it: is it a topic exchange (--exchange), and does somebody delete it again and again?`;
}
