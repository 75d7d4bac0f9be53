import type { Requester } from '../box/types.js';
import { type ControlRule, matchesPattern } from '../spec/control.js';
import type { JobIdentity } from '../spec/spec.js';
import {
  type Delivery,
  type Ignored,
  parseMessage,
  type Refusal,
  type Request,
  refuse,
  requesterOf,
} from './message.js';

/** Who may command a box: `--control-auth`. A gate is between the bytes of a message and the table of commands. */

/** What a delivery asks for, or why it is turned down, and who sent it. */
export interface Admitted {
  readonly outcome: Request | Refusal | Ignored;
  readonly by: Requester;
}

/** Never rejects; promises are kept in the order of the deliveries. */
export type Gate = (delivery: Delivery) => Admitted | Promise<Admitted>;

/**
 * Before every gate: a message must have come by one of the box's own keys. The broker checks its topic permissions
 * against the routing key alone; the headers CC and BCC, a dead letter exchange of the sender's own queue, and the default
 * exchange lead around them (RabbitMQ 3.10). Where they do, the routing key that arrives is another one, or x-death tells.
 */
export function onOwnKeys(gate: Gate, keys: readonly string[]): Gate {
  const own = new Set<unknown>(keys);
  return (delivery) => {
    const { headers } = delivery.properties;
    const deadLetter = typeof headers === 'object' && headers !== null && Object.hasOwn(headers, 'x-death');
    if (own.has(delivery.fields?.routingKey) && !deadLetter) return gate(delivery);
    const message = 'the message has come around its routing key: publish it to the exchange, with a key of this box';
    return { outcome: refuse('forged', message), by: requesterOf(delivery.properties) };
  };
}

/** `broker`: whatever the broker's permissions have let through. */
export function brokerGate(identity: JobIdentity, nowMs: () => number): Gate {
  return (delivery) => ({
    outcome: parseMessage(delivery, identity, nowMs()),
    by: requesterOf(delivery.properties),
  });
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
  request: Request,
): Request | Refusal {
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
