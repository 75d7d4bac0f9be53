import type { BrokerLink, Closed } from '../amqp/box-link.js';
import type { CommandMemory } from '../amqp/command-memory.js';
import type { LinkState } from '../amqp/link.js';
import type * as Signed from '../amqp/signed.js';
import type { Logger } from '../log.js';
import type { Controllable } from '../model/types.js';
import type { BoxSpec } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import type { BindingCounts } from './bindings.js';
import type { Quotas } from './fair-outbox.js';

/** What the node decides, and not its boxes. Each field means the same as in `BoxSpec`. */
export type NodeSpec = Pick<
  BoxSpec,
  | 'uris'
  | 'uriAsked'
  | 'exchange'
  | 'statsKey'
  | 'eventsKey'
  | 'replyExchange'
  | 'rascalConfig'
  | 'controlAuth'
  | 'controlRules'
  | 'controlKeys'
  | 'auditLog'
  | 'messageTimeoutMs'
  | 'outboxMaxMessages'
  | 'outboxMaxBytes'
  | 'spoolDir'
  | 'spoolMaxBytes'
  | 'spoolMaxAgeMs'
>;

export interface NodeLinkOptions extends NodeSpec {
  readonly host: string;
  /** Name of the user as whom the node's process runs. */
  readonly user: string;
  readonly quotas?: Partial<Quotas>;
  /** Age at which a box gets keys of its job and its own, unless it got them at once. @default 15000 */
  readonly lateBindMs?: number;
  /** Most of these keys. @default 4096 */
  readonly lateBindingsMax?: number;
  /** Longest wait before the first, second, ... attempt to connect again. @default 1500, 5000, 15000, 60000 */
  readonly retryWaitsMs?: readonly number[];
  readonly log: Logger;
  /** Loads the check of signatures, which only `controlAuth` `signed` needs. */
  readonly loadSigned?: () => typeof Signed;
  readonly loadSpool?: () => typeof Spool;
}

/** Whose box it is, as the kernel says. */
export interface Owner {
  readonly uid: number;
  readonly user: string;
}

export interface NodeStatus {
  readonly control: LinkState;
  readonly statistics: LinkState;
  /** Messages in memory. */
  readonly outbox: { readonly messages: number; readonly bytes: number };
  /** Messages in the spool only, or on their way there. */
  readonly spool: { readonly messages: number };
  /** Messages given up, of all boxes so far. */
  readonly dropped: number;
  readonly boxes: number;
  readonly bindings: BindingCounts;
  /** Deliveries that were for no box. */
  readonly strays: number;
}

/** One link to the broker for all boxes of a node: two connections and one queue. */
export interface NodeLink {
  /**
   * @param spec whose exchange and keys hold for this box; everything else is the node's
   * @param memory of the commands that were carried out. @default none was
   */
  attach(box: Controllable, spec: BoxSpec, owner: Owner, memory?: CommandMemory): BrokerLink;
  status(): NodeStatus;
  /** Waits at most this long for the outbox to drain, puts the rest into the spool, and ends everything. */
  close(flushMs: number): Promise<Closed>;
}
