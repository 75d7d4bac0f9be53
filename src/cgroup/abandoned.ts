import { existsSync, statSync } from 'node:fs';
import { fsPath } from '../bytes.js';
import { directoriesIn, readFile, removeDir, removeTree } from '../kernel/files.js';
import { parentOf } from './below.js';
import { BOX_GROUPS, isBoxGroup } from './box-groups.js';

/**
 * Removes the groups of boxes that were killed together with their keepers, as happens when Slurm kills a step. Then removes
 * the groups around them, which the scheduler could not remove while they had children. Best effort.
 * @param dirs the groups of a box; abandoned groups are looked for in related groups
 * @param levels how many levels above the parent of `dirs` the common ancestor may be
 * @returns number of box groups removed
 */
export function removeAbandoned(dirs: readonly string[], levels: number): number {
  let count = 0;
  for (const around of new Set(dirs.map(parentOf))) {
    let top = around;
    for (let up = 0; up < levels && existsSync(fsPath(`${parentOf(top)}/cgroup.procs`)); up++) top = parentOf(top);
    for (const dir of abandonedBelow(top, levels)) {
      // The kernel refuses if the group holds a process, or a group that the job has made.
      if (!removeDir(dir)) {
        if (isUnused(dir)) removeTree(dir);
        if (existsSync(fsPath(dir))) continue;
      }
      count++;
      for (let at = parentOf(dir); at !== top && at !== around && removeDir(at); ) at = parentOf(at);
    }
  }
  return count;
}

function abandonedBelow(top: string, levels: number): string[] {
  return directoriesIn(top).flatMap((name) => {
    const dir = `${top}/${name}`;
    if (isBoxGroup(name)) return isOld(dir) ? [dir] : [];
    return levels === 0 ? [] : abandonedBelow(dir, levels - 1);
  });
}

function isUnused(dir: string): boolean {
  return readFile(`${dir}/cgroup.procs`) === '' && directoriesIn(dir).every((name) => isUnused(`${dir}/${name}`));
}

function isOld(dir: string): boolean {
  const changed = statSync(fsPath(dir), { throwIfNoEntry: false })?.mtimeMs;
  return changed !== undefined && Date.now() - changed > BOX_GROUPS.minAgeSec * 1000;
}
