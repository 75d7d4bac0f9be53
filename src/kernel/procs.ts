import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsPath } from '../bytes.js';
import { directoriesIn, readFile } from './files.js';

/**
 * The processes of a group and of those that the job has made below it, in the kernel's order; null where the file
 * cannot be read.
 * @param procsFile a `cgroup.procs`
 */
export function listProcesses(procsFile: string): readonly number[] | null {
  const text = readFile(procsFile);
  if (text === null) return null;
  // A process that moves while the list is made may be there twice.
  const pids = new Set(parse(text));
  addBelow(dirname(procsFile), pids);
  return [...pids];
}

/** One number a line. JSON has the fastest parser. */
function parse(text: string): readonly number[] {
  return JSON.parse(`[${text.replaceAll('\n', ',')}]`);
}

/** kernfs counts directories in the link count: a group without others below it costs one stat(2). */
function addBelow(dir: string, pids: Set<number>): void {
  if ((statSync(fsPath(dir), { throwIfNoEntry: false })?.nlink ?? 2) <= 2) return;
  for (const name of directoriesIn(dir)) {
    // A threaded group lists its processes in the one above, and its own file says EOPNOTSUPP.
    for (const pid of parse(readFile(`${dir}/${name}/cgroup.procs`) ?? '')) pids.add(pid);
    addBelow(`${dir}/${name}`, pids);
  }
}
