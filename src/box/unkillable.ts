import type { Unkillable } from 'cgroup-utils-native';
import type { Logger } from '../log.js';

/** The processes that SIGKILL does not end. */
export interface LeftBehind {
  /** Names each in the log once, and again where the end of the box no longer waits for it. */
  notice(processes: readonly Unkillable[], final: boolean): void;
  /** Those that the box has left behind. */
  readonly left: readonly Unkillable[];
}

export function createLeftBehind(log: Logger): LeftBehind {
  const named = new Set<number>();
  let left: readonly Unkillable[] = [];
  return {
    notice(processes, final) {
      left = final ? processes : [];
      for (const { pid, name, reason } of processes) {
        if (!final && named.has(pid)) continue;
        named.add(pid);
        log.warn(`${final ? 'left behind' : 'SIGKILL has not ended'}: pid ${pid} (${name}): ${reason}`);
      }
    },
    get left() {
      return left;
    },
  };
}
