import { forUser, keySegment } from '../../amqp/keys.js';
import { SpecError } from '../../errors.js';

/** Whom a command is for: options of `proc_box ctl` -> routing key and target. */

/** In this order the most exact one becomes the routing key, the others narrow it in the message's `target`. */
const ADDRESSES = ['box', 'job', 'user', 'host'] as const;
const NARROWING = ['node', 'step', 'task'] as const;

export type Target = Readonly<Record<string, string>>;

export interface Address {
  readonly routingKey: string;
  /** What the routing key does not say; undefined where it says everything. */
  readonly target: Target | undefined;
  /** Everything that was given, for a command that is signed. */
  readonly all: Target;
}

/**
 * Where a command may go, from the widest on: the first that the broker lets us publish to is meant. A site can have a key
 * for each user (with `{user}`) and one for operators beside it: an operator's `--job 1234` is anybody's job, and a user's
 * is his own, because he may not write the operators' key.
 * @param given options by their names
 * @param everybody `--all`
 * @param keys routing keys of commands
 * @param self who runs this: the user for a key with `{user}` where none is given
 * @returns at least one
 * @throws SpecError where nobody is named, and it was not said that everybody is meant
 */
export function addressesOf(
  given: ReadonlyMap<string, string>,
  everybody: boolean,
  keys: readonly string[],
  self: () => string,
): readonly Address[] {
  const wanted = new Map<string, string>();
  for (const name of [...ADDRESSES, ...NARROWING]) {
    const text = given.get(name);
    if (text === '') throw new SpecError(`--${name} is empty: a job without one would be meant, or every job`);
    if (text !== undefined) wanted.set(name, text);
  }
  const named = ADDRESSES.find((name) => wanted.has(name));
  if (named === undefined && !everybody) {
    throw new SpecError(
      'this would go to every box of the exchange: give --job, --host, --user or --box, or --all where that is meant',
    );
  }
  if (named !== undefined && everybody) {
    throw new SpecError(`--all and --${named} are both given: give one of them`);
  }
  const ofUser = keys.find((key) => key.includes('{user}'));
  const wide = keys.find((key) => !key.includes('{user}'));
  if (ofUser === undefined) return [addressUnder(wide!, wanted)];
  const own = addressUnder(ofUser, new Map([['user', self()], ...wanted]));
  return wide === undefined || wanted.has('user') ? [own] : [addressUnder(wide, wanted), own];
}

/** @param key where it has `{user}`, the user is part of it */
function addressUnder(key: string, wanted: ReadonlyMap<string, string>): Address {
  const all = Object.fromEntries(wanted);
  const left = new Map(wanted);
  if (key.includes('{user}')) left.delete('user');
  const routingKey = forUser(key, wanted.get('user') ?? '') + takeSuffix(left);
  return { routingKey, target: left.size > 0 ? Object.fromEntries(left) : undefined, all };
}

/** Takes what goes into the routing key out of `wanted`. */
function takeSuffix(wanted: Map<string, string>): string {
  const by = ADDRESSES.find((name) => wanted.has(name));
  if (by === undefined) return '';
  const segments = by === 'job' && wanted.has('user') ? (['user', 'job'] as const) : [by];
  return segments
    .map((name) => {
      const value = keySegment(wanted.get(name)!);
      wanted.delete(name);
      return `.${name}.${value}`;
    })
    .join('');
}
