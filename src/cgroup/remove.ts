import { killGroup } from 'cgroup-utils-native';
import { removeTree, tryWrite } from '../kernel/files.js';
import { parentOf } from './below.js';
import type { Adoption, BoxCgroup, CleanupStep } from './types.js';

/** Takes the processes of a box that is not to be out of its groups again, and the groups away. Best effort. */
export function releaseCgroup(cgroup: BoxCgroup, adopt: Adoption): void {
  clean(cgroup.cleanup.filter((step) => step.op === 'write'));
  for (const dir of cgroup.dirs) adopt.join(`${parentOf(dir)}/cgroup.procs`);
  removeCgroup(cgroup);
}

/**
 * SIGKILL to everything in the box's group where the kernel does that in one step; else it is the keeper's work.
 * @returns number of processes that were there
 */
export function killCgroup({ killFile }: BoxCgroup): number {
  return killFile === null ? 0 : killGroup(parentOf(killFile));
}

/** Runs the cleanup where no keeper does: after a launch that failed, or after the keeper has died. */
export function removeCgroup(cgroup: BoxCgroup): void {
  // What was frozen cannot die in v1.
  if (cgroup.freezer?.version === 1)
    clean([{ op: 'write', path: `${cgroup.freezer.dir}/freezer.state`, text: 'THAWED' }]);
  clean(cgroup.cleanup);
}

/** Runs the steps that take groups away, in order. */
export function clean(steps: readonly CleanupStep[]): void {
  for (const step of steps) {
    if (step.op === 'rmdir') removeTree(step.path);
    // The process may have gone meanwhile, or the group is no longer ours.
    else tryWrite(step.path, step.text);
  }
}
