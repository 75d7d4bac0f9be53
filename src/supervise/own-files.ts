import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { lockFile } from 'cgroup-utils-native';
import { fsPath } from '../bytes.js';
import { SpecError } from '../errors.js';

/** Files that a supervisor writes: `--log-file` and `--pid-file`. */

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENXIO: 'it is a FIFO that nobody reads, or a socket',
  EISDIR: 'it is a directory',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
};

/**
 * Opens a file to append to. Never blocks: a FIFO without a reader is an error.
 * @param option name of the option, for messages
 * @returns the descriptor
 * @throws SpecError
 */
export function openLog(option: string, path: string): number {
  return openToWrite(option, path, constants.O_APPEND);
}

export interface PidFile {
  /** Removes and closes the file. Its lock ends with that, or with the front end if that holds the file, too. */
  remove(): void;
}

/**
 * Writes a file with the pid of the front end, which is the process to signal. The file is locked until it is removed
 * or this process ends for any reason.
 * @param hold keeps the lock beyond the end of this process
 * @throws SpecError
 */
export function lockedPidFile(path: string, hold: (fd: number) => void = () => {}): PidFile {
  const fd = openToWrite('--pid-file', path, constants.O_TRUNC);
  lockFile(fd);
  hold(fd);
  try {
    writeSync(fd, `${process.ppid}\n`);
  } catch {
    // A full disk must not prevent the box; the lock matters more than the pid.
  }
  let open = true;
  return {
    remove() {
      if (!open) return;
      open = false;
      rmSync(fsPath(path), { force: true });
      closeSync(fd);
    },
  };
}

function openToWrite(option: string, path: string, flag: number): number {
  try {
    const { O_WRONLY, O_CREAT, O_NOCTTY, O_NONBLOCK } = constants;
    return openSync(fsPath(path), O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK | flag, 0o644);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const why = WHY[code] ?? 'this user may not write there';
    throw new SpecError(`${option} ${path}: ${code}: ${why}; name a file that can be written`, { cause });
  }
}
