import { writeSync } from 'node:fs';
import { exitNow } from 'cgroup-utils-native';
import { EXIT } from './box/outcome.js';
import { createLogger } from './log.js';

/** Output of the tools to stdout, which belongs to no job here. */

const AGAIN_MS = 10;

/**
 * Prints the whole text.
 * @returns the exit status: the given one, or 125 after an error on stderr if stdout cannot be written. A reader that
 * has gone away, such as `head`, is not a failure.
 */
export function print(text: string, status = 0): number {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return status;
      if (code !== 'EAGAIN') return failed(code);
      // The pipe is full, and another process has made it non-blocking.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
  return status;
}

/** Prints the text and ends the process. */
export function printAndExit(text: string): never {
  return exitNow(print(text));
}

function failed(code: string | undefined): number {
  const why =
    code === 'ENOSPC' ? 'the disk or device is full' : code === 'EBADF' ? 'it is closed' : 'it cannot be written';
  createLogger('error').error(`write to stdout: ${code}: ${why}; not everything was printed`);
  return EXIT.failed;
}
