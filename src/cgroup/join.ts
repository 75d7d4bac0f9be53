import { codeOf, writeFile } from './files.js';

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
      try {
        writeFile(procs, String(pid));
      } catch (error) {
        if (codeOf((error as Error).cause) !== 'ESRCH') return (error as Error).message;
      }
    }
  }
  return null;
}
