import type { Unkillable } from 'cgroup-utils-native';
import type { Logger } from '../log.js';

/** Processes that SIGKILL does not end. */
export interface LeftBehind {
  /** Logs each process once, and again when the box ends without waiting for it any longer (`final`). */
  notice(processes: readonly Unkillable[], final: boolean): void;
  /** The processes that the box left behind when it ended. */
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
