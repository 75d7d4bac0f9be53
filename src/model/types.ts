import type { JobIdentity } from '../options/spec.js';
import type { Command, CommandName } from '../options/table/commands.js';

export type { Command, CommandName };

/** Who asked; it goes into events and the end report. */
export interface Requester {
  readonly via: 'amqp' | 'signal' | 'limit' | 'box';
  /** AMQP message id. */
  readonly messageId?: string;
  /** AMQP user id, validated by the broker. */
  readonly user?: string;
  /** Id of the key that has signed the command, and the name that it is bound to. */
  readonly key?: string;
  readonly signer?: string;
  /** Name of the signal that the wrapper got, for `signal`. */
  readonly signal?: string;
  /** Who sent that signal, where it was a process that this one can see. */
  readonly sender?: SignalSender;
}

export interface SignalSender {
  readonly pid: number;
  readonly uid: number;
  /** The kernel's name of it, at most 15 bytes; absent where it had ended already. */
  readonly name?: string;
}

/** Closed set of codes; docs/messages.md. */
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

/** Why the box ended; the first reason wins. */
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

/** What the AMQP side needs of a box; a box knows nothing of AMQP. */
export interface Controllable {
  readonly identity: JobIdentity;
  /** Never throws and never rejects. */
  execute(command: Command, by: Requester): Promise<Answer>;
  /**
   * A request that was turned down before it became a Command: counted and audited.
   * @param args as they were sent; null where they could not be read
   */
  refused(answer: Answer, by: Requester, command: string, args: readonly string[] | null): void;
}

/** What leaves a box: samples and events, in order. */
export interface Outgoing {
  readonly kind: 'sample' | 'event';
  /** `<box>-<sequence>`, the same on a resend. */
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
