import { forUser, keySegment } from '../../amqp/keys.js';
import { SpecError } from '../../errors.js';

/** Turns the options of `proc_box ctl` that say which boxes a command is for into a routing key and a target. */

/**
 * The first of these that is given becomes the routing key; the others go into the message's `target`, which narrows
 * it.
 */
const ADDRESSES = ['box', 'job', 'user', 'host'] as const;
const NARROWING = ['cluster', 'node', 'step', 'task'] as const;

/** `target` of a command message. */
export type Target = Readonly<Record<string, string>>;

export interface Address {
  readonly routingKey: string;
  /** What the routing key does not express; undefined if it expresses everything. */
  readonly target: Target | undefined;
  /** Every part of the address, as the target of a signed command. */
  readonly all: Target;
}

/**
 * Where a command may go, the widest address first; the first one that the broker lets us publish to is used. A site
 * can have a key for each user (with `{user}`) and another one for operators. Then an operator's `--job 1234` reaches
 * any user's job, and a user's only their own, because users may not publish to the operators' key.
 * @param given options by their names
 * @param everybody `--all`
 * @param keys routing keys of commands
 * @param self name of the user who runs this, for a key with `{user}` if no user is given
 * @returns at least one address
 * @throws SpecError if no box is addressed and `--all` is not given
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
    if (text === '') throw new SpecError(`--${name} is empty: that could address boxes that you do not mean`);
    if (text !== undefined) wanted.set(name, text);
  }
  const named = ADDRESSES.find((name) => wanted.has(name));
  if (named === undefined && !everybody) {
    throw new SpecError(
      'this would go to every box of the exchange: give --job, --host, --user or --box, or --all if you mean every box',
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

/** @param key may contain `{user}`, which the user's name replaces */
function addressUnder(key: string, wanted: ReadonlyMap<string, string>): Address {
  const all = Object.fromEntries(wanted);
  const left = new Map(wanted);
  if (key.includes('{user}')) left.delete('user');
  const routingKey = forUser(key, wanted.get('user') ?? '') + takeSuffix(left);
  return { routingKey, target: left.size > 0 ? Object.fromEntries(left) : undefined, all };
}

/** @returns the suffix of the routing key; removes what it expresses from `wanted` */
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
