import { forUser, keySegment } from '../amqp/keys.js';
import { SpecError } from '../errors.js';

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
 * @param given options by their names
 * @param everybody `--all`
 * @param key routing key of commands; where it has `{user}`, the user is part of it
 * @param self who runs this: the user for such a key where none is given
 * @throws SpecError where nobody is named, and it was not said that everybody is meant
 */
export function addressOf(
  given: ReadonlyMap<string, string>,
  everybody: boolean,
  key: string,
  self: () => string,
): Address {
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
  const ofUser = key.includes('{user}');
  if (ofUser && !wanted.has('user')) wanted.set('user', self());
  const all = Object.fromEntries(wanted);
  const base = ofUser ? forUser(key, wanted.get('user')!) : key;
  if (ofUser) wanted.delete('user');
  const routingKey = base + takeSuffix(wanted);
  return { routingKey, target: wanted.size > 0 ? Object.fromEntries(wanted) : undefined, all };
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
