import { readdirSync } from 'node:fs';
import { readText, removeDirectory, removeGroups, TextFiles, writeText } from 'cgroup-utils-native';
import { fsPath, textOf } from '../bytes.js';
import { EnvironmentError } from '../errors.js';

/** The kernel's files, as small synchronous steps; errors carry path and value. */

/** A missing file is a missing feature: it is never made. @returns why not, or null */
export function tryWrite(path: string, text: string): string | null {
  const code = writeText(path, text);
  return code === null ? null : `write "${text}" to ${path}: ${code}`;
}

/** @throws EnvironmentError `write "max" to .../pids.max: EACCES` */
export function writeFile(path: string, text: string): void {
  const failure = tryWrite(path, text);
  if (failure !== null) throw new EnvironmentError(failure);
}

/** The file's text without its last newline; null where this kernel does not have it, or not for this user. */
export function readFile(path: string): string | null {
  return readText(path)?.trimEnd() ?? null;
}

/** Reads files of one directory; in this order, without their last newlines, null for one that cannot be read. */
export type Reader = (dir: string, ...names: readonly string[]) => readonly (string | null)[];

/** For figures that every sample asks for: keeps the files open until it is closed. */
export function createReader(): Reader & { close(): void } {
  const open = new Map<string, TextFiles>();
  const read: Reader = (dir, ...names) => {
    const key = `${dir} ${names[0]}`;
    let files = open.get(key);
    if (files === undefined) {
      files = new TextFiles(names.map((name) => `${dir}/${name}`));
      open.set(key, files);
    }
    return files.read().map((text) => text?.trimEnd() ?? null);
  };
  const close = () => {
    for (const files of open.values()) files.close();
  };
  return Object.assign(read, { close });
}

/** Best effort: what is left is the keeper's to remove. */
export function removeDir(path: string): boolean {
  const code = removeDirectory(path);
  return code === null || code === 'ENOENT';
}

/** A group with those that the job has made below it; the processes have ended. Best effort. */
export function removeTree(path: string): void {
  removeGroups(path);
}

/** Groups below a group; none where it cannot be read. */
export function directoriesIn(path: string): string[] {
  try {
    return readdirSync(fsPath(path), { withFileTypes: true, encoding: 'buffer' })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => textOf(name as unknown as Buffer));
  } catch {
    // It has gone, or is not for this user.
    return [];
  }
}
