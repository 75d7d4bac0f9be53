import type { JobIdentity } from '../options/spec.js';
import type { MessageRecord } from './record.js';
import type { PublishChannel } from './sending.js';

/** What a delivery of spool files is given, and what came of it. */

export interface DeliveryOptions {
  /** The channel that is there, or a new one where the broker has ended it; undefined where the link is lost. */
  readonly channel: () => Promise<PublishChannel | undefined>;
  /** Where the events of a box go; undefined where none may be sent in its name. */
  readonly eventsTo: (identity: JobIdentity) => { readonly exchange: string; readonly routingKey: string } | undefined;
  /** Aborted: the link is lost, or there is no more time. */
  readonly stop: AbortSignal;
  /** For one confirm of the broker. */
  readonly confirmMs: number;
  readonly maxAgeMs: number;
  /** A box that lives: the caller. */
  readonly except?: string;
  /** @returns why a message may not be published; undefined where it may */
  readonly check?: (message: MessageRecord) => string | undefined;
  /** @returns why it cannot be told now whose file it is; undefined where it can */
  readonly doubt?: (identity: JobIdentity) => string | undefined;
  /** Gets a line for each file that is not delivered as a whole. */
  readonly warn: (text: string) => void;
}

export interface Delivered {
  readonly files: number;
  readonly messages: number;
  /** Lost for age, room or damage; published as well. */
  readonly dropped: number;
  /** Files of boxes that live, or that somebody else delivers. */
  readonly inUse: number;
  /** Files with something that is neither delivered nor given up. */
  readonly left: number;
  /** Files that were set aside. */
  readonly bad: number;
}

export const NOTHING: Delivered = { files: 0, messages: 0, dropped: 0, inUse: 0, left: 0, bad: 0 };
