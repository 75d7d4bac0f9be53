import { isEnvironmentError } from '../errors.js';
import { createLogger } from '../log.js';
import { amount, duration } from '../options/amounts.js';
import { print } from '../print.js';
import { printable, printableJson } from '../text.js';
import { askAgent } from './ask.js';
import type { AgentOptions } from './options.js';

/** What an agent says of itself. Times in ms, sizes in bytes. */
export interface AgentStatus {
  readonly version: string;
  readonly pid: number;
  readonly uptime_ms: number;
  readonly memory_bytes: number;
  readonly boxes: number;
  readonly users: number;
}

const NO_AGENT = 2;

/** `proc_box agent status`. @returns the exit status */
export async function printStatus({ socket, json }: Pick<AgentOptions, 'socket' | 'json'>): Promise<number> {
  try {
    const status = (await askAgent(socket, 'status')) as AgentStatus;
    return print(json ? `${printableJson(status)}\n` : lines(status, socket));
  } catch (error) {
    if (!isEnvironmentError(error)) throw error;
    createLogger('error').error(error.message);
    return NO_AGENT;
  }
}

function lines(status: AgentStatus, socket: string): string {
  const { version, pid, uptime_ms, memory_bytes, boxes, users } = status;
  return `${printable(
    `proc_box agent ${version} at ${socket}: pid ${pid}, up ${duration(uptime_ms)}, ${boxes} boxes of ${users} users, memory ${amount(memory_bytes, 'bytes')}`,
  )}\n`;
}
