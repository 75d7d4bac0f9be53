import type { Requester } from '../model/types.js';
import { type ControlRule, matchesPattern } from '../options/control.js';
import type { JobIdentity } from '../options/spec.js';
import {
  type CommandRequest,
  type Delivery,
  type Ignored,
  parseMessage,
  type Refusal,
  refuse,
  requesterOf,
} from './message.js';

/** Who may command a box (`--control-auth`). A gate stands between the bytes of a message and the table of commands. */

/** What a delivery asks for, or why it is refused, and who sent it. */
export interface Admitted {
  readonly outcome: CommandRequest | Refusal | Ignored;
  readonly by: Requester;
}

/** Decides on a delivery. A promise never rejects, and promises resolve in the order of the deliveries. */
export type Gate = (delivery: Delivery) => Admitted | Promise<Admitted>;

/** Headers that make RabbitMQ route by other keys than the one that it checked, or that say that it has done so. */
const DETOURS = ['x-death', 'CC', 'BCC', 'x-cc'];
/**
 * Headers that federation and shovels set: a link republished the message here under its old key, with its own login.
 */
const RELAYED = ['x-received-from', 'x-shovelled'];

/**
 * Wraps every gate. It admits a command only if its sender published it to the box's own exchange with one of the box's
 * own keys, because RabbitMQ checks topic permissions for exactly that pair. RabbitMQ does not check them for messages
 * that arrive through an exchange which the sender has bound to ours (or declared with ours as its alternate exchange),
 * nor for the headers CC and BCC (before RabbitMQ 4), nor for messages that the sender's own queue dead-letters. A
 * delivery shows each of these: its `exchange` and `routingKey` are those of the publication, except after
 * dead-lettering, which sets x-death.
 */
export function onOwnRoute(gate: Gate, exchange: string, keys: readonly string[]): Gate {
  const own = new Set<unknown>(keys);
  return (delivery) => {
    const { fields, properties } = delivery;
    const direct = fields?.exchange === exchange && own.has(fields.routingKey) && !hasHeader(properties, DETOURS);
    if (direct) return gate(delivery);
    const message =
      'the message came by a detour: publish it to the exchange of this box, with a key of this box, without CC or BCC';
    return { outcome: refuse('forged', message), by: requesterOf(properties) };
  };
}

function hasHeader({ headers }: Delivery['properties'], names: readonly string[]): boolean {
  return typeof headers === 'object' && headers !== null && names.some((name) => Object.hasOwn(headers, name));
}

/**
 * `broker`: admits what the broker's permissions let through. This broker did not check messages that a link from
 * another broker republished here; only `user_id` or a signature can vouch for their sender.
 */
export function brokerGate(identity: JobIdentity, nowMs: () => number): Gate {
  return (delivery) => {
    const by = requesterOf(delivery.properties);
    if (!hasHeader(delivery.properties, RELAYED)) return { outcome: parseMessage(delivery, identity, nowMs()), by };
    const message =
      'the message came over a shovel or a federation link, but this box trusts only the permissions of its own broker: it needs --control-auth user or signed (docs/security.md)';
    return { outcome: refuse('forged', message), by };
  };
}

/** `user`: admits a command if the broker has checked its `user_id` and a rule lets that user give it. */
export function userGate(rules: readonly ControlRule[], identity: JobIdentity, nowMs: () => number): Gate {
  return (delivery) => {
    const by = requesterOf(delivery.properties);
    const outcome = parseMessage(delivery, identity, nowMs());
    if (outcome.kind !== 'request') return { outcome, by };
    return { outcome: mayCommand(rules, identity.user, by.user, outcome), by };
  };
}

function mayCommand(
  rules: readonly ControlRule[],
  owner: string,
  user: string | undefined,
  request: CommandRequest,
): CommandRequest | Refusal {
  const { name, args } = request;
  if (user === undefined) {
    const message =
      'this box takes only commands with the property user_id, which the broker checks: set it to your user name';
    return refuse('forbidden', message, name, args);
  }
  const allowed = rules.some(
    ({ users, commands }) =>
      users.some((pattern) => matchesPattern(pattern, user, owner)) &&
      commands.some((pattern) => matchesPattern(pattern, name)),
  );
  if (allowed) return request;
  return refuse('forbidden', `user ${JSON.stringify(user)} may not give this command to this box`, name, args);
}
