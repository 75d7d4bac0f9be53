import type { JobIdentity } from '../options/spec.js';
import type { Command, CommandName } from '../options/table/commands.js';

export type { Command, CommandName };

/** Who asked for something. Events and the end report name them. */
export interface Requester {
  readonly via: 'amqp' | 'signal' | 'limit' | 'box';
  /** AMQP message id. */
  readonly messageId?: string;
  /** AMQP user id, validated by the broker. */
  readonly user?: string;
  /** Id of the key that signed the command. */
  readonly key?: string;
  readonly signer?: string;
  /** Name of the signal that the wrapper got; for `via: 'signal'`. */
  readonly signal?: string;
  /** The process that sent the signal, if the wrapper can see it. */
  readonly sender?: SignalSender;
}

export interface SignalSender {
  readonly pid: number;
  readonly uid: number;
  /** The kernel's name of the process, at most 15 bytes; absent if the process had already ended. */
  readonly name?: string;
}

/** The closed set of codes (docs/messages.md). */
export type RefusalCode =
  | 'not_json'
  | 'bad_message'
  | 'too_large'
  | 'expired'
  | 'forged'
  | 'forbidden'
  | 'not_signed'
  | 'bad_signature'
  | 'replayed'
  | 'unknown_command'
  | 'bad_arguments'
  | 'not_possible'
  | 'failed'
  | 'ended';

export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: { readonly code: RefusalCode; readonly message: string } };

/** Why the box ended. The first reason wins. */
export type Reason =
  | 'exited'
  | 'signaled'
  | 'timeout'
  | 'stdoutlimit'
  | 'memory'
  | 'oom'
  | 'cpu'
  | 'pids'
  | 'stopped'
  | 'killed'
  | 'scheduler'
  | 'ended'
  | 'failed';

export type BoxState = 'starting' | 'running' | 'suspended' | 'stopping' | 'ended';

/** The part of a box that the AMQP side uses. A box knows nothing of AMQP. */
export interface Controllable {
  readonly identity: JobIdentity;
  /** Never throws and never rejects. */
  execute(command: Command, by: Requester): Promise<Answer>;
  /**
   * Counts and audits a request that was refused before it became a Command.
   * @param args as they were sent; null if they could not be read
   */
  refused(answer: Answer, by: Requester, command: string, args: readonly string[] | null): void;
}

/** A sample or event that leaves the box. */
export interface Outgoing {
  readonly kind: 'sample' | 'event';
  /** `<box>-<sequence>`; the same if the message is sent again. */
  readonly messageId: string;
  /** The message type: `proc_box.stats` or `proc_box.event`. */
  readonly type: string;
  /** JSON text. */
  readonly body: string;
  /** Seconds since the epoch. */
  readonly timestamp: number;
}

/**
 * How one attempt to publish a message ended: the broker confirmed it, refused it for now (a nack, for example of a full
 * queue), or the link failed before it said either.
 */
export type PublishResult = 'confirmed' | 'refused' | 'unknown';
