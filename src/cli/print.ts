import { writeSync } from 'node:fs';
import { exitNow } from 'cgroup-utils-native';
import { EXIT } from '../box/outcome.js';
import { createLogger } from '../log.js';

/** stdout of a tool: there is no job that it could belong to. */

const AGAIN_MS = 10;

/**
 * Prints all of the text.
 * @returns the exit status: the given one, or 125 where stdout cannot take it, which stderr then tells. A reader that has
 * gone away, as `head` does, wants no more and is no failure.
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
      // Somebody has made the pipe non-blocking.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
  return status;
}

/** `print`, and the end of the process. */
export function printAndExit(text: string): never {
  return exitNow(print(text));
}

function failed(code: string | undefined): number {
  const why =
    code === 'ENOSPC' ? 'the disk or device is full' : code === 'EBADF' ? 'it is closed' : 'it cannot be written';
  createLogger('error').error(`write to stdout: ${code}: ${why}; not everything was printed`);
  return EXIT.failed;
}
