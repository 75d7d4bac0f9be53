import { readdirSync } from 'node:fs';
import { readText, removeDirectory, removeGroups, writeText } from 'cgroup-utils-native';
import { fsPath, textOf } from '../bytes.js';
import { EnvironmentError } from '../errors.js';

/** Synchronous access to the kernel's files. Errors carry path and value. */

/** Writes a file, but never creates it, because a missing file is a missing feature. @returns why that failed, or null */
export function tryWrite(path: string, text: string): string | null {
  const code = writeText(path, text);
  return code === null ? null : `write "${text}" to ${path}: ${code}`;
}

/** Like tryWrite. @throws EnvironmentError such as `write "max" to .../pids.max: EACCES` */
export function writeFile(path: string, text: string): void {
  const failure = tryWrite(path, text);
  if (failure !== null) throw new EnvironmentError(failure);
}

/** Reads a file without its last newline; null if this kernel does not have it or this user may not read it. */
export function readFile(path: string): string | null {
  return readText(path)?.trimEnd() ?? null;
}

/** Removes a directory; true if it is gone. Best effort, because the keeper removes what is left. */
export function removeDir(path: string): boolean {
  const code = removeDirectory(path);
  return code === null || code === 'ENOENT';
}

/** Removes a group without processes, and the groups that the job has made below it. Best effort. */
export function removeTree(path: string): void {
  removeGroups(path);
}

/** Lists the groups below a group; empty if it cannot be read. */
export function directoriesIn(path: string): string[] {
  try {
    return readdirSync(fsPath(path), { withFileTypes: true, encoding: 'buffer' })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => textOf(name as unknown as Buffer));
  } catch {
    // The group is gone, or this user may not read it.
    return [];
  }
}
