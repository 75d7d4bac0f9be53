import { writeStderr } from 'cgroup-utils-native';
import { printable, redactUri } from './text.js';

/** error: somebody must act; warn: degraded; info: life cycle; debug: everything else. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/**
 * Writes one line per record to stderr, never to stdout, which belongs to the job. Whatever a message quotes, the record
 * stays on one line, cannot control a terminal, and shows no password of a URI.
 */
export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

const ORDER: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };

export interface LoggerOptions {
  /** Writes one line, which ends in a newline. @default writes to stderr and never waits for its reader */
  readonly write?: (line: string) => void;
}

/** @param level the least important level that is written */
export function createLogger(level: LogLevel, options: LoggerOptions = {}): Logger {
  const { write = writeStderr } = options;
  const at = (name: LogLevel) => (message: string) => {
    if (ORDER[name] > ORDER[level]) return;
    write(`proc_box: ${name === 'info' ? '' : `${name}: `}${printable(redactUri(message))}\n`);
  };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
