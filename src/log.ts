import { writeSync } from 'node:fs';

/** error: someone must act; warn: degraded; info: lifecycle; debug: the rest. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** One line a record, on stderr, never on stdout: that belongs to the job. */
export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

const ORDER: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };

export interface LoggerOptions {
  /** Gets one line with its newline. @default writeStderr */
  readonly write?: (line: string) => void;
}

/** @param level least important level that is written */
export function createLogger(level: LogLevel, options: LoggerOptions = {}): Logger {
  const { write = writeStderr } = options;
  const at = (name: LogLevel) => (message: string) => {
    if (ORDER[name] > ORDER[level]) return;
    write(`proc_box: ${name === 'info' ? '' : `${name}: `}${message.replaceAll('\n', '\\n')}\n`);
  };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/**
 * Writes as much as stderr takes now, synchronously: Node's own stream would make the job's stderr non-blocking. A full
 * or closed stderr must not hold up the job.
 */
export function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EAGAIN' && code !== 'EPIPE' && code !== 'EIO' && code !== 'ENOSPC' && code !== 'EBADF') throw error;
  }
}
