import { existsSync, statSync } from 'node:fs';
import { fsPath } from '../bytes.js';
import { directoriesIn, readFile, removeDir, removeTree } from '../kernel/files.js';
import { parentOf } from './below.js';
import { BOX_GROUPS, isBoxGroup } from './box-groups.js';

/**
 * Removes groups of boxes that were killed together with their keepers, as Slurm kills a step: in groups that are relatives
 * of ours, and then these, where the kernel lets them go: they could not be removed because of ours. Best effort.
 * @param dirs groups of a box
 * @param levels how far above the group around ours their common ancestor is at most
 * @returns number of groups of boxes
 */
export function removeAbandoned(dirs: readonly string[], levels: number): number {
  let count = 0;
  for (const around of new Set(dirs.map(parentOf))) {
    let top = around;
    for (let up = 0; up < levels && existsSync(fsPath(`${parentOf(top)}/cgroup.procs`)); up++) top = parentOf(top);
    for (const dir of abandonedBelow(top, levels)) {
      // The kernel refuses where a process is inside, or a group of a box that the job has started.
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
