import type { TreeSample } from 'cgroup-utils-native';
import type { BoxCgroup } from '../cgroup/types.js';
import type { CgroupUsage, CpuUsage, MemoryUsage } from '../cgroup/usage.js';
import { listProcesses } from '../kernel/procs.js';
import type { SampleCause } from '../model/sample.js';

/** The figures that were read for one sample. */
export interface Measured {
  readonly cgroup: CgroupUsage | null;
  /** Memory and CPU time as the groups count them; null unless they have counted from the start of the job. */
  readonly memory: MemoryUsage | null;
  readonly cpu: CpuUsage | null;
  /** The live processes now. */
  readonly pids: readonly number[];
  /** The result of this sample's walk or of the last one. */
  readonly tree: TreeSample;
  readonly walked: boolean;
  /** Age of `tree`; 0 if this sample walked over the processes. */
  readonly ageMs: number;
  /** The sample's `Memory.rss` and `Memory.swap`. */
  readonly rssBytes: number;
  readonly swapBytes: number;
}

export interface MeterOptions {
  readonly cgroup: BoxCgroup;
  readonly walk: () => TreeSample;
  /** Longest time between walks of a large box; 0 walks for every sample. */
  readonly rowsIntervalMs: number;
  /** Called with one line, once per controller that stops counting. */
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

/** A box of at most this many processes is walked for every sample. */
const SMALL_BOX = 64;
/** How long a list is reused while the number of tasks stays the same. Making one costs the kernel 0.25 to 0.75 µs per process. */
const LIST_AGE_MS = 10_000;
/** Tolerance for the sampling timer, which may be late once and punctual the next time. */
const PUNCTUAL = 0.99;

/**
 * Reads the sources of a sample. A walk costs 20 µs per process, while reading the groups' files costs the same for a box of
 * any size. If the groups count memory and CPU time, periodic samples of a large box do without the walk.
 */
export function createMeter({
  cgroup,
  walk,
  rowsIntervalMs,
  warn,
}: MeterOptions): (cause: SampleCause, nowMs: number) => Measured {
  let last: Walk | undefined;
  let list: List | undefined;
  // A group that set_limit has made later does not know what happened before it.
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
 * Resident memory with each page counted once: anonymous memory and the mapped part of the page cache. If the processes were
 * walked, too, the result is kept between the largest of them and their sum. The group alone may be too low, because it does
 * not count pages that were charged to another group (shared libraries), and the kernel's counts may be two seconds late.
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
      warn(`the box's control group no longer counts ${silent.join(', ')}: statistics now come from its processes`);
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
