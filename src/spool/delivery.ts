import type { JobIdentity } from '../options/spec.js';
import type { MessageRecord } from './record.js';
import type { PublishChannel } from './sending.js';

/** Options and result of a delivery of spool files. */

export interface DeliveryOptions {
  /** The present channel, or a new one if the broker has closed it; undefined if the link is lost. */
  readonly channel: () => Promise<PublishChannel | undefined>;
  /** Where the events of a box go; undefined if none may be published in its name. */
  readonly eventsTo: (identity: JobIdentity) => { readonly exchange: string; readonly routingKey: string } | undefined;
  /** Aborted when the link is lost or the time is over. */
  readonly stop: AbortSignal;
  /** Longest wait for one confirm. */
  readonly confirmMs: number;
  readonly maxAgeMs: number;
  /** The caller's own box, whose files are left alone. */
  readonly except?: string;
  /** @returns why a message may not be published; undefined if it may */
  readonly check?: (message: MessageRecord) => string | undefined;
  /** @returns why the owner of a file cannot be told now; undefined if it can */
  readonly doubt?: (identity: JobIdentity) => string | undefined;
  /** Called for each file that is not delivered as a whole. */
  readonly warn: (text: string) => void;
}

export interface Delivered {
  readonly files: number;
  readonly messages: number;
  /** Messages lost because of their age, the spool's bounds, damage or refusal; `spool_dropped` events tell of them. */
  readonly dropped: number;
  /** Files of running boxes, or files that another process is delivering. */
  readonly inUse: number;
  /** Files with messages that are neither delivered nor given up. */
  readonly left: number;
  /** Files that were set aside. */
  readonly bad: number;
}

export const NOTHING: Delivered = { files: 0, messages: 0, dropped: 0, inUse: 0, left: 0, bad: 0 };
