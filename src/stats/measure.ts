import type { KeeperUsage, RawSample, SampleOptions, TreeSample } from 'cgroup-utils-native';
import type { SampleBox } from '../cgroup/read-usage.js';
import type { BoxCgroup } from '../cgroup/types.js';
import type { CgroupUsage, CpuUsage, MemoryUsage } from '../cgroup/usage.js';
import type { BoxPressure } from '../kernel/pressure.js';
import { toTexts } from '../kernel/texts.js';
import type { Pressure, SampleCause } from '../model/sample.js';

/** The figures that were read for one sample. */
export interface Measured {
  /** What the keeper has reaped, as read before the processes. */
  readonly usage: KeeperUsage;
  readonly cgroup: CgroupUsage | null;
  readonly pressure: Pressure | null;
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
  readonly pressure: BoxPressure;
  /** Asks the keeper. */
  readonly sample: SampleBox;
  /** How a walk is done. */
  readonly walk: Pick<SampleOptions, 'rows' | 'openFiles' | 'pss'>;
  /** Longest time between walks of a large box; 0 walks for every sample. */
  readonly rowsIntervalMs: number;
  /** Called with one line, once per controller that stops counting. */
  readonly warn: (message: string) => void;
}

export interface Meter {
  /** Rejects if the keeper has gone. */
  measure(cause: SampleCause, nowMs: number): Promise<Measured>;
  /** The groups' last figures, when no process is left. Rejects if the keeper has gone. */
  readFinal(): Promise<CgroupUsage | null>;
  /** The last sample, with the figures that were read last. @param usage the exact totals @default those read last */
  final(usage?: KeeperUsage): Measured;
  /** What was measured last; undefined before the first time. */
  readonly last: Measured | undefined;
}

/** A box of at most this many processes is walked for every sample. */
const SMALL_BOX = 64;
/** How long a list is reused while the number of tasks stays the same. Making one costs the kernel 0.25 to 0.75 µs per process. */
const LIST_AGE_MS = 10_000;
/** Tolerance for the sampling timer, which may be late once and punctual the next time. */
const PUNCTUAL = 0.99;

/**
 * Reads the sources of a sample, which the keeper answers with one reply. A walk costs 20 µs per process, while reading the
 * groups' files costs the same for a box of any size. If the groups count memory and CPU time, periodic samples of a large box
 * do without the walk.
 */
export function createMeter(options: MeterOptions): Meter {
  return new BoxMeter(options);
}

/** What the groups' files say. */
type Counts = Pick<Measured, 'cgroup' | 'pressure' | 'memory' | 'cpu'>;

class BoxMeter implements Meter {
  readonly #options: MeterOptions;
  readonly #watch: (usage: CgroupUsage | null) => void;
  #walk: { readonly tree: TreeSample; readonly atMs: number } | undefined;
  #list: { readonly pids: readonly number[]; readonly tasks: number; readonly atMs: number } | undefined;
  /** A group that set_limit has made later does not know what happened before it. */
  #fromStart: { readonly memory: boolean; readonly cpu: boolean } | undefined;
  #counts: Counts = { cgroup: null, pressure: null, memory: null, cpu: null };
  #usage: KeeperUsage = NO_USAGE;
  #listed:
    | { readonly usage: readonly string[]; readonly ofPressure: readonly string[]; readonly files: readonly string[] }
    | undefined;
  #last: Measured | undefined;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#watch = silenceWatch(options.warn);
  }

  get last(): Measured | undefined {
    return this.#last;
  }

  async measure(cause: SampleCause, nowMs: number): Promise<Measured> {
    const mayList = cause === 'interval' && this.#mayList(nowMs);
    const known = mayList && this.#list !== undefined && nowMs - this.#list.atMs < LIST_AGE_MS ? this.#list : null;
    let raw = await this.#ask(known !== null ? {} : mayList ? this.#asList() : this.#asWalk());
    const { usage } = raw;
    const counts = this.#counts;
    const tasks = counts.cgroup?.pids?.current ?? null;
    const counted = mayList && counts.memory !== null && counts.cpu !== null;
    const isKnown = known !== null && counted && known.tasks === tasks;
    const isListed = counted && (raw.pids?.length ?? 0) > SMALL_BOX;
    if (!isKnown && !isListed && raw.tree === null)
      raw = await this.#options.sample(counted ? this.#asList() : this.#asWalk());
    const pids = isKnown ? known.pids : raw.tree === null ? raw.pids : null;
    if (!isKnown && pids !== null && tasks !== null) this.#list = { pids, tasks, atMs: nowMs };
    const walked = raw.tree !== null;
    if (raw.tree !== null) this.#walk = { tree: raw.tree, atMs: nowMs };
    const { tree, atMs } = this.#walk ?? { tree: NO_TREE, atMs: nowMs };
    this.#usage = usage;
    this.#last = {
      ...counts,
      usage,
      pids: pids ?? tree.pids,
      tree,
      walked,
      ageMs: nowMs - atMs,
      rssBytes: resident(counts.memory, walked ? tree : null) ?? tree.rssBytes,
      swapBytes: counts.memory?.swapBytes ?? tree.swapBytes,
    };
    return this.#last;
  }

  async readFinal(): Promise<CgroupUsage | null> {
    const { cgroup, pressure } = this.#options;
    if (cgroup.usageFiles().length > 0 || pressure.files().length > 0) await this.#ask({});
    return this.#counts.cgroup;
  }

  final(usage = this.#usage): Measured {
    return { ...this.#counts, usage, pids: [], tree: NO_TREE, walked: true, ageMs: 0, rssBytes: 0, swapBytes: 0 };
  }

  #mayList(nowMs: number): boolean {
    const { cgroup, rowsIntervalMs } = this.#options;
    if (cgroup.procsFile === null || this.#walk === undefined) return false;
    return nowMs - this.#walk.atMs < PUNCTUAL * rowsIntervalMs;
  }

  #asWalk(): SampleOptions {
    return { ...this.#options.walk, walk: true };
  }

  #asList(): SampleOptions {
    return { ...this.#asWalk(), list: this.#options.cgroup.procsFile ?? '', walkMost: SMALL_BOX };
  }

  /** @returns the same list again as long as nothing changes: then the addon need not encode it anew */
  #files(): readonly string[] {
    const { cgroup, pressure } = this.#options;
    const [usage, ofPressure] = [cgroup.usageFiles(), pressure.files()];
    if (usage !== this.#listed?.usage || ofPressure !== this.#listed.ofPressure) {
      this.#listed = { usage, ofPressure, files: [...usage, ...ofPressure] };
    }
    return this.#listed.files;
  }

  /** Asks for the groups' files together with the rest. */
  async #ask(rest: SampleOptions): Promise<RawSample> {
    const { cgroup, pressure, sample } = this.#options;
    const files = this.#files();
    const raw = await sample({ ...rest, files });
    const texts = toTexts(files, raw.texts);
    const usage = cgroup.usage(texts);
    this.#watch(usage);
    this.#fromStart ??= { memory: usage?.memory != null, cpu: usage?.cpu != null };
    this.#counts = {
      cgroup: usage,
      pressure: pressure.read(texts),
      memory: this.#fromStart.memory ? (usage?.memory ?? null) : null,
      cpu: this.#fromStart.cpu ? (usage?.cpu ?? null) : null,
    };
    return raw;
  }
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

const NO_USAGE: KeeperUsage = {
  userUsec: 0,
  systemUsec: 0,
  maxRssBytes: 0,
  readCount: 0,
  writeCount: 0,
  readBytes: 0,
  writeBytes: 0,
  stdoutBytes: 0,
};

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
