import { killGroup } from 'cgroup-utils-native';
import { removeTree, tryWrite } from '../kernel/files.js';
import { parentOf } from './below.js';
import type { Adoption, BoxCgroup, CleanupStep } from './types.js';

/** Undoes a box that failed to start: moves the adopted processes back out of its groups and removes these. Best effort. */
export function releaseCgroup(cgroup: BoxCgroup, adopt: Adoption): void {
  clean(cgroup.cleanup.filter((step) => step.op === 'write'));
  for (const dir of cgroup.dirs) adopt.join(`${parentOf(dir)}/cgroup.procs`);
  removeCgroup(cgroup);
}

/**
 * Sends SIGKILL to every process in the box's group if the kernel does that in one step; otherwise the keeper has to.
 * @returns number of processes in the group
 */
export function killCgroup({ killFile }: BoxCgroup): number {
  return killFile === null ? 0 : killGroup(parentOf(killFile));
}

/** Runs the clean-up when no keeper does: after a failed launch, or after the keeper has died. */
export function removeCgroup(cgroup: BoxCgroup): void {
  // In v1 a frozen process cannot die.
  if (cgroup.freezer?.version === 1)
    clean([{ op: 'write', path: `${cgroup.freezer.dir}/freezer.state`, text: 'THAWED' }]);
  clean(cgroup.cleanup);
}

/** Runs the steps that remove groups, in order. */
export function clean(steps: readonly CleanupStep[]): void {
  for (const step of steps) {
    if (step.op === 'rmdir') removeTree(step.path);
    // This may fail: the process may have ended meanwhile, or the group may no longer be ours.
    else tryWrite(step.path, step.text);
  }
}
