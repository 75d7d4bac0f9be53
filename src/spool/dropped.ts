import { EVENT_TYPE, EVENT_VERSION, type EventHead, type SpoolDropped } from '../model/event.js';
import type { JobIdentity } from '../options/spec.js';
import type { MessageRecord } from './record.js';

/** Number of lost messages of a file, by reason. */
export type Lost = { -readonly [Reason in keyof Omit<SpoolDropped, 'event' | 'messages'>]: number };

export function sumOf(lost: Lost): number {
  return lost.no_room + lost.too_old + lost.damaged + lost.refused;
}

/** @param sequence number of the first lost message in the sequence of its box */
export function droppedEvent(
  identity: JobIdentity,
  sequence: number,
  lost: Lost,
): Pick<MessageRecord, 'options' | 'body'> {
  const event: EventHead & SpoolDropped = {
    event: 'spool_dropped',
    version: EVENT_VERSION,
    sequence,
    time: new Date().toISOString(),
    identity,
    state: 'ended',
    messages: sumOf(lost),
    ...lost,
  };
  return {
    options: {
      persistent: true,
      contentType: 'application/json',
      messageId: `${identity.box}-${sequence}`,
      timestamp: Math.floor(Date.now() / 1000),
      type: EVENT_TYPE,
      appId: 'proc_box',
    },
    body: JSON.stringify(event),
  };
}
