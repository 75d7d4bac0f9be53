import type { KeeperUsage, TreeSample } from 'cgroup-utils-native';

/** Running sums and peaks of one box. */
export interface Totals {
  readonly userUsec: number;
  readonly systemUsec: number;
  readonly guestUsec: number;
  readonly iowaitUsec: number;
  readonly readCount: number;
  readonly writeCount: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly stdoutBytes: number;
  readonly rssPeakBytes: number;
  readonly processRssPeakBytes: number;
  readonly processesPeak: number;
  readonly threadsPeak: number;
}

/**
 * Live processes (with what they have reaped) plus what the keeper has reaped. Each figure keeps its maximum:
 * a process that is ending is for a moment in neither, a child whose parent ignores SIGCHLD is in neither for good,
 * and a counter that went back would read as a negative rate.
 */
export function totals(): { add(tree: TreeSample, usage: KeeperUsage): Totals } {
  let sum: Totals = ZERO;
  return {
    add(tree, usage) {
      const largest = Math.max(sum.processRssPeakBytes, usage.maxRssBytes, tree.rows[0]?.rssBytes ?? 0);
      sum = {
        userUsec: Math.max(sum.userUsec, tree.userUsec + usage.userUsec),
        systemUsec: Math.max(sum.systemUsec, tree.systemUsec + usage.systemUsec),
        guestUsec: Math.max(sum.guestUsec, tree.guestUsec),
        iowaitUsec: Math.max(sum.iowaitUsec, tree.iowaitUsec),
        readCount: Math.max(sum.readCount, tree.readCount + usage.readCount),
        writeCount: Math.max(sum.writeCount, tree.writeCount + usage.writeCount),
        readBytes: Math.max(sum.readBytes, tree.readBytes + usage.readBytes),
        writeBytes: Math.max(sum.writeBytes, tree.writeBytes + usage.writeBytes),
        stdoutBytes: Math.max(sum.stdoutBytes, usage.stdoutBytes),
        rssPeakBytes: Math.max(sum.rssPeakBytes, tree.rssBytes, largest),
        processRssPeakBytes: largest,
        processesPeak: Math.max(sum.processesPeak, tree.pids.length),
        threadsPeak: Math.max(sum.threadsPeak, tree.threads),
      };
      return sum;
    },
  };
}

/** A box has had one process with one thread, also where it ended before the first sample. */
const ZERO: Totals = {
  userUsec: 0,
  systemUsec: 0,
  guestUsec: 0,
  iowaitUsec: 0,
  readCount: 0,
  writeCount: 0,
  readBytes: 0,
  writeBytes: 0,
  stdoutBytes: 0,
  rssPeakBytes: 0,
  processRssPeakBytes: 0,
  processesPeak: 1,
  threadsPeak: 1,
};
