import { isEnvironmentError } from '../errors.js';
import { createLogger } from '../log.js';
import type { NodeStatus } from '../node-link/index.js';
import { amount, counted, duration } from '../options/amounts.js';
import { print } from '../print.js';
import { printable, printableJson } from '../text.js';
import { askFirst } from './find.js';
import type { AgentOptions } from './options.js';

/** What an agent says of itself. */

/** Times in ms, sizes in bytes. What is null is not known, or is not there: an agent without a broker has no outbox. */
export interface AgentStatus extends StatusOfLink {
  readonly version: string;
  readonly pid: number;
  readonly uid: number;
  readonly uptime_ms: number;
  readonly memory_bytes: number;
  readonly boxes: number;
  /** Users that have boxes. */
  readonly users: number;
  /** Connections that are no boxes. */
  readonly waiting: number;
  /** Connections that were ended since the start, because something was wrong with them. */
  readonly refused: number;
}

interface StatusOfLink {
  /** States of the two connections. */
  readonly broker: { readonly control: string; readonly statistics: string } | null;
  /** Messages in memory. */
  readonly outbox: NodeStatus['outbox'] | null;
  readonly spool: NodeStatus['spool'] | null;
  /** Messages given up. */
  readonly dropped: number | null;
}

/** @param link null without a broker */
export function statusOfLink(
  link: Pick<NodeStatus, 'control' | 'statistics' | 'outbox' | 'spool' | 'dropped'> | null,
): StatusOfLink {
  if (link === null) return { broker: null, outbox: null, spool: null, dropped: null };
  const { control, statistics, outbox, spool, dropped } = link;
  return { broker: { control: control.state, statistics: statistics.state }, outbox, spool, dropped };
}

const NO_AGENT = 2;

/** `proc_box agent status`. @returns the exit status */
export async function printStatus({ asked, json }: Pick<AgentOptions, 'asked' | 'json'>): Promise<number> {
  try {
    const { socket, answer } = await askFirst(asked, 'status');
    const status = answer as AgentStatus;
    return print(json ? `${printableJson({ socket, ...status })}\n` : statusText(status, socket));
  } catch (error) {
    if (!isEnvironmentError(error)) throw error;
    createLogger('error').error(error.message);
    return NO_AGENT;
  }
}

/** The status for people: one thing in a line. */
export function statusText(status: AgentStatus, socket: string): string {
  const { broker, outbox, spool, dropped } = status;
  const rows: (readonly [string, string | null])[] = [
    ['agent', `proc_box ${status.version}, pid ${status.pid}, uid ${status.uid}, up ${duration(status.uptime_ms)}`],
    ['socket', socket],
    ['boxes', `${status.boxes} of ${counted(status.users, 'user')}`],
    ['connections', `${status.waiting} without a box; ${status.refused} refused so far`],
    ['broker', broker && `control ${broker.control}, statistics ${broker.statistics}`],
    ['outbox', outbox && `${counted(outbox.messages, 'message')}, ${amount(outbox.bytes, 'bytes')}`],
    ['spool', spool && counted(spool.messages, 'message')],
    ['dropped', dropped === null ? null : counted(dropped, 'message')],
    ['memory', amount(status.memory_bytes, 'bytes')],
  ];
  return rows
    .filter(([, text]) => text !== null)
    .map(([name, text]) => `${name.padEnd(12)}${printable(text as string)}\n`)
    .join('');
}
