import { writeStderr } from 'cgroup-utils-native';
import { printable, redactUri } from './text.js';

/** error: someone must act; warn: degraded; info: lifecycle; debug: the rest. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/**
 * One line a record, on stderr, never on stdout: that belongs to the job. Whatever a message quotes, the line stays one line,
 * drives no terminal, and shows no password of a URI.
 */
export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

const ORDER: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };

export interface LoggerOptions {
  /** Gets one line with its newline. @default stderr, where a reader that is slow or gone holds up nobody */
  readonly write?: (line: string) => void;
}

/** @param level least important level that is written */
export function createLogger(level: LogLevel, options: LoggerOptions = {}): Logger {
  const { write = writeStderr } = options;
  const at = (name: LogLevel) => (message: string) => {
    if (ORDER[name] > ORDER[level]) return;
    write(`proc_box: ${name === 'info' ? '' : `${name}: `}${printable(redactUri(message))}\n`);
  };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
