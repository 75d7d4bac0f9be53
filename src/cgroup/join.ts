import { writeText } from 'cgroup-utils-native';

const PASSES = 16;

/**
 * Moves running processes into a group, in passes because they may fork meanwhile. The children of a moved process are born
 * in the group.
 * @param procs the group's `cgroup.procs`
 * @returns why the move failed, or null
 */
export function moveAll(procs: string, pids: () => readonly number[]): string | null {
  const moved = new Set<number>();
  for (let pass = 0; pass < PASSES; pass++) {
    const fresh = pids().filter((pid) => !moved.has(pid));
    if (fresh.length === 0) return null;
    for (const pid of fresh) {
      moved.add(pid);
      const code = writeText(procs, String(pid));
      if (code !== null && code !== 'ESRCH') return `write "${pid}" to ${procs}: ${code}`;
    }
  }
  return null;
}
