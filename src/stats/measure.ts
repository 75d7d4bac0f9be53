import type { TreeSample } from 'cgroup-utils-native';
import type { BoxCgroup } from '../cgroup/types.js';
import type { CgroupUsage, CpuUsage, MemoryUsage } from '../cgroup/usage.js';
import { listProcesses } from '../kernel/procs.js';
import type { SampleCause } from '../model/sample.js';

/** What was read for one sample. */
export interface Measured {
  readonly cgroup: CgroupUsage | null;
  /** Memory and CPU time as the groups count them; null where they do not, or not from the start of the job. */
  readonly memory: MemoryUsage | null;
  readonly cpu: CpuUsage | null;
  /** Live processes, now. */
  readonly pids: readonly number[];
  /** Of now, or the last walk. */
  readonly tree: TreeSample;
  readonly walked: boolean;
  /** How old `tree` is; 0 where the processes were walked now. */
  readonly ageMs: number;
  /** `Memory.rss` and `Memory.swap`. */
  readonly rssBytes: number;
  readonly swapBytes: number;
}

export interface MeterOptions {
  readonly cgroup: BoxCgroup;
  readonly walk: () => TreeSample;
  /** Longest time between walks of a large box; 0 walks for every sample. */
  readonly rowsIntervalMs: number;
  /** Gets one line, once for each controller that falls silent. */
  readonly warn: (message: string) => void;
}

interface Walk {
  readonly tree: TreeSample;
  readonly atMs: number;
}

interface List {
  readonly pids: readonly number[];
  readonly tasks: number;
  readonly atMs: number;
}

/** A box of at most so many processes is walked for every sample. */
const SMALL_BOX = 64;
/** A list of as many tasks as before is used again for so long: the kernel's own part of making one is 0.25 to 0.75 µs a process. */
const LIST_AGE_MS = 10_000;
/** The timer that samples a box may be late once and not the next time. */
const PUNCTUAL = 0.99;

/**
 * Reads the sources of a sample. A walk costs 20 µs a process; the groups' files cost the same for a box of any size.
 * Where they count memory and CPU time, periodic samples of a large box do without the walk.
 */
export function createMeter({
  cgroup,
  walk,
  rowsIntervalMs,
  warn,
}: MeterOptions): (cause: SampleCause, nowMs: number) => Measured {
  let last: Walk | undefined;
  let list: List | undefined;
  // Groups that come later (set_limit) do not know what was before them.
  let fromStart: { readonly memory: boolean; readonly cpu: boolean } | undefined;
  const watch = silenceWatch(warn);

  const listed = (nowMs: number, tasks: number | null): readonly number[] | null => {
    if (cgroup.procsFile === null || last === undefined || nowMs - last.atMs >= PUNCTUAL * rowsIntervalMs) return null;
    const known = list !== undefined && list.tasks === tasks && nowMs - list.atMs < LIST_AGE_MS ? list.pids : null;
    const pids = known ?? listProcesses(cgroup.procsFile);
    if (pids === null || pids.length <= SMALL_BOX) return null;
    if (known === null && tasks !== null) list = { pids, tasks, atMs: nowMs };
    return pids;
  };

  return (cause, nowMs) => {
    const usage = cgroup.usage();
    watch(usage);
    fromStart ??= { memory: usage?.memory != null, cpu: usage?.cpu != null };
    const memory = fromStart.memory ? (usage?.memory ?? null) : null;
    const cpu = fromStart.cpu ? (usage?.cpu ?? null) : null;
    const counts = { cgroup: usage, memory, cpu };
    if (cause === 'final')
      return { ...counts, pids: [], tree: NO_TREE, walked: true, ageMs: 0, rssBytes: 0, swapBytes: 0 };

    const counted = cause === 'interval' && memory !== null && cpu !== null;
    const pids = counted ? listed(nowMs, usage?.pids?.current ?? null) : null;
    const before = pids === null ? undefined : last;
    const walked = before === undefined;
    const { tree, atMs } = before ?? { tree: walk(), atMs: nowMs };
    last = { tree, atMs };
    return {
      ...counts,
      pids: pids ?? tree.pids,
      tree,
      walked,
      ageMs: nowMs - atMs,
      rssBytes: resident(memory, walked ? tree : null) ?? tree.rssBytes,
      swapBytes: memory?.swapBytes ?? tree.swapBytes,
    };
  };
}

/**
 * Each page once: anonymous memory and what is mapped of the page cache. Where the processes were walked, too, it is
 * between the largest of them and their sum: pages that another group has paid for (shared libraries) are not counted
 * here, and the kernel may be two seconds late with its counts.
 */
function resident(memory: MemoryUsage | null, tree: TreeSample | null): number | null {
  if (memory === null || memory.anonBytes === null || memory.mappedBytes === null) return null;
  const counted = memory.anonBytes + memory.mappedBytes;
  if (tree === null) return counted;
  return Math.min(Math.max(counted, tree.rows[0]?.rssBytes ?? 0), tree.rssBytes);
}

const FIGURES = ['memory', 'cpu', 'io', 'pids'] as const;

function silenceWatch(warn: (message: string) => void): (usage: CgroupUsage | null) => void {
  const had = new Set<string>();
  const told = new Set<string>();
  return (usage) => {
    for (const name of FIGURES) if (usage?.[name] != null) had.add(name);
    const silent = FIGURES.filter((name) => usage?.[name] == null && had.has(name) && !told.has(name));
    for (const name of silent) told.add(name);
    if (silent.length > 0) {
      warn(`the box's control group does not count ${silent.join(', ')} any more: statistics go on with its processes`);
    }
  };
}

const NO_TREE: TreeSample = {
  pids: [],
  threads: 0,
  rssBytes: 0,
  vmsBytes: 0,
  swapBytes: 0,
  pssBytes: -1,
  anonBytes: -1,
  fileBytes: -1,
  shmemBytes: -1,
  userUsec: 0,
  systemUsec: 0,
  guestUsec: 0,
  iowaitUsec: 0,
  readCount: 0,
  writeCount: 0,
  readBytes: 0,
  writeBytes: 0,
  rows: [],
  openFiles: [],
};
