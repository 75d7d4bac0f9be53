import { forUser } from '../../amqp/keys.js';

/** Which keys to bind to see what boxes publish. */

/** What one wants to see. */
export interface Wanted {
  readonly samples: boolean;
  readonly events: boolean;
  /** Only boxes of this user: a site's keys may have the user in them. */
  readonly user: string | undefined;
}

/**
 * @param keys `skey` and `ekey` of the boxes, which may contain `{user}`
 * @param self name of the user who asks
 * @returns alternatives, the widest first
 */
export function bindingsFor(
  keys: { readonly statsKey: string; readonly eventsKey: string },
  { samples, events, user }: Wanted,
  self: () => string,
): readonly (readonly string[])[] {
  const prefixes = [...(samples ? [keys.statsKey] : []), ...(events ? [keys.eventsKey] : [])];
  const of = (name: string | undefined) =>
    prefixes.map((key) => `${name === undefined ? key.replaceAll('{user}', '*') : forUser(key, name)}.#`);
  if (!prefixes.some((key) => key.includes('{user}'))) return [of(undefined)];
  return user === undefined ? [of(undefined), of(self())] : [of(user)];
}
