import type { Controllable, Outgoing } from '../model/types.js';
import type { BoxSpec } from '../options/spec.js';
import { forUser, outgoingKey } from './keys.js';
import type { Publication } from './publisher.js';

/** @returns makes the publication of a sample or event of this box */
export function toPublication(
  spec: Pick<BoxSpec, 'exchange' | 'statsKey' | 'eventsKey' | 'rascalConfig'>,
  { identity }: Controllable,
): (message: Outgoing, content: Buffer) => Publication {
  const { exchange, rascalConfig } = spec;
  const keys = {
    sample: outgoingKey(forUser(spec.statsKey, identity.user), identity.host),
    event: outgoingKey(forUser(spec.eventsKey, identity.user), identity.host),
  };
  const site = rascalConfig?.publications?.statistics;
  return (message, content) => {
    const options = {
      persistent: true,
      ...site,
      contentType: 'application/json',
      messageId: message.messageId,
      timestamp: message.timestamp,
      type: message.type,
      appId: 'proc_box',
    };
    return { exchange, routingKey: keys[message.kind], content, options };
  };
}
