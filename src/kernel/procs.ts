import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsPath } from '../bytes.js';
import { directoriesIn, readFile } from './files.js';

/**
 * Lists the processes of a group and of the groups that the job has made below it, in the kernel's order; null if the file
 * cannot be read.
 * @param procsFile a `cgroup.procs`
 */
export function listProcesses(procsFile: string): readonly number[] | null {
  const text = readFile(procsFile);
  if (text === null) return null;
  // A process that moves while the kernel makes the list may appear twice.
  const pids = new Set(parse(text));
  addBelow(dirname(procsFile), pids);
  return [...pids];
}

/** Parses one number per line, with JSON because that has the fastest parser. */
function parse(text: string): readonly number[] {
  return JSON.parse(`[${text.replaceAll('\n', ',')}]`);
}

/** kernfs counts subdirectories in the link count, so a group without groups below it costs one stat(2). */
function addBelow(dir: string, pids: Set<number>): void {
  if ((statSync(fsPath(dir), { throwIfNoEntry: false })?.nlink ?? 2) <= 2) return;
  for (const name of directoriesIn(dir)) {
    // The processes of a threaded group are listed in its parent; its own file cannot be read (EOPNOTSUPP).
    for (const pid of parse(readFile(`${dir}/${name}/cgroup.procs`) ?? '')) pids.add(pid);
    addBelow(`${dir}/${name}`, pids);
  }
}
