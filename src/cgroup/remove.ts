import type { FileOp } from 'cgroup-utils-native';
import type { Task } from '../kernel/task.js';
import { parentOf } from './below.js';
import type { Adoption, BoxCgroup, CleanupStep } from './types.js';

/** The parts of a box's groups that say how to remove them. */
export type Removable = Pick<BoxCgroup, 'dirs' | 'freezer' | 'cleanup'>;

/** Undoes a box that failed to start: moves the adopted processes back out of its groups and removes these. Best effort. */
export function* releaseCgroup(cgroup: Removable, adopt: Adoption): Task<void> {
  yield* clean(cgroup.cleanup.filter((step) => step.op === 'write'));
  for (const dir of cgroup.dirs) yield* adopt.join(`${parentOf(dir)}/cgroup.procs`);
  yield* removeCgroup(cgroup);
}

/** Runs the clean-up when no keeper does: after a failed launch, or after the keeper has died. */
export function* removeCgroup(cgroup: Removable): Task<void> {
  // In v1 a frozen process cannot die.
  if (cgroup.freezer?.version === 1)
    yield* clean([{ op: 'write', path: `${cgroup.freezer.dir}/freezer.state`, text: 'THAWED' }]);
  yield* clean(cgroup.cleanup);
}

/**
 * Runs the steps that remove groups, in order. A write may fail: the process may have ended meanwhile, or the group may no
 * longer be ours.
 */
export function* clean(steps: readonly CleanupStep[]): Task<void> {
  if (steps.length > 0)
    yield steps.map((step): FileOp => (step.op === 'rmdir' ? { op: 'rmtree', path: step.path } : step));
}
