import { writeText } from 'cgroup-utils-native';

const PASSES = 16;

/**
 * Moves processes that run already into a group: in passes, because they fork meanwhile; their children are born where
 * they are.
 * @param procs the group's `cgroup.procs`
 * @returns why it cannot be done, or null
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
