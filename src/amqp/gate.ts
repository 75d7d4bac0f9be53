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

/** Who may command a box: `--control-auth`. A gate is between the bytes of a message and the table of commands. */

/** What a delivery asks for, or why it is turned down, and who sent it. */
export interface Admitted {
  readonly outcome: CommandRequest | Refusal | Ignored;
  readonly by: Requester;
}

/** Never rejects; promises are kept in the order of the deliveries. */
export type Gate = (delivery: Delivery) => Admitted | Promise<Admitted>;

/** Headers by which RabbitMQ routes, or says that it has routed, by other keys than the one that it has checked. */
const DETOURS = ['x-death', 'CC', 'BCC', 'x-cc'];
/** Headers of federation and of shovels: another login has published the message here, under the key that it had. */
const RELAYED = ['x-received-from', 'x-shovelled'];

/**
 * Before every gate: a command counts only where its sender has published it to the box's own exchange, with one of the
 * box's own keys, because RabbitMQ checks topic permissions for exactly that pair. It checks them neither for what comes
 * through an exchange that the sender has bound to ours (or declared with ours as its alternate exchange), nor for the
 * headers CC and BCC (before RabbitMQ 4), nor for what the sender's own queue dead-letters. A delivery shows each of
 * these: `exchange` and `routingKey` are those of the publication, except after a dead letter, which has x-death.
 */
export function onOwnRoute(gate: Gate, exchange: string, keys: readonly string[]): Gate {
  const own = new Set<unknown>(keys);
  return (delivery) => {
    const { fields, properties } = delivery;
    const direct = fields?.exchange === exchange && own.has(fields.routingKey) && !hasHeader(properties, DETOURS);
    if (direct) return gate(delivery);
    const message =
      'the message has come by a detour: publish it to the exchange of this box, with a key of this box, without CC or BCC';
    return { outcome: refuse('forged', message), by: requesterOf(properties) };
  };
}

function hasHeader({ headers }: Delivery['properties'], names: readonly string[]): boolean {
  return typeof headers === 'object' && headers !== null && names.some((name) => Object.hasOwn(headers, name));
}

/**
 * `broker`: whatever the broker's permissions have let through. What a link from another broker has published here was
 * not checked by this one: who may send that is for `user_id` or a signature to say.
 */
export function brokerGate(identity: JobIdentity, nowMs: () => number): Gate {
  return (delivery) => {
    const by = requesterOf(delivery.properties);
    if (!hasHeader(delivery.properties, RELAYED)) return { outcome: parseMessage(delivery, identity, nowMs()), by };
    const message =
      'the message has come over a shovel or a federation link, and this box trusts permissions of its own broker only: it needs --control-auth user or signed (docs/security.md)';
    return { outcome: refuse('forged', message), by };
  };
}

/** `user`: the broker has checked `user_id`, and a rule lets that user give that command. */
export function userGate(rules: readonly ControlRule[], identity: JobIdentity, nowMs: () => number): Gate {
  return ({ properties, ...delivery }) => {
    const by = requesterOf(properties);
    const outcome = parseMessage({ properties, ...delivery }, identity, nowMs());
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
      'this box takes commands only with the property user_id, which the broker checks: send it with yours';
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
