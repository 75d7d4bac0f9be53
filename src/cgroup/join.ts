import { carryOut, type Task } from '../kernel/task.js';

const PASSES = 16;

/**
 * Moves running processes into a group, in passes because they may fork meanwhile. The children of a moved process are born
 * in the group.
 * @param procs the group's `cgroup.procs`
 * @returns why the move failed, or null
 */
export function* moveAll(procs: string, pids: () => Task<readonly number[]>): Task<string | null> {
  const moved = new Set<number>();
  for (let pass = 0; pass < PASSES; pass++) {
    const fresh = (yield* pids()).filter((pid) => !moved.has(pid));
    if (fresh.length === 0) return null;
    for (const pid of fresh) {
      moved.add(pid);
      const { error } = yield* carryOut({ op: 'write', path: procs, text: String(pid) });
      if (error !== null && error !== 'ESRCH') return `write "${pid}" to ${procs}: ${error}`;
    }
  }
  return null;
}
