import { readUsage, type SampleBox } from '../cgroup/read-usage.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { type CgroupUsage, parseNumber } from '../cgroup/usage.js';
import { EnvironmentError } from '../errors.js';
import { type Task, type TaskRunner, together } from '../kernel/task.js';
import type { LimitStatus } from '../model/sample.js';
import type { Bound } from '../options/resources.js';
import { changeOf, type LimitRow } from '../options/table/limit.js';
import {
  type CgroupLimitName,
  type CountedName,
  LIMITS,
  type LimitName,
  type ResourceName,
  type Resources,
  resourceNames,
  type WatchedName,
} from '../options/table/limits.js';
import { createNearWatch } from './near-watch.js';
import { disableSwap, displayed, enforce, type HostConstraints, type ResourceValue, restoreSwap } from './resources.js';
import type { SavedResources } from './saved.js';
import { createWatchdog, type WatchdogOptions } from './watchdog.js';

/** Enforces the limits of the box as a whole, and knows when the kernel has acted on one. */
export interface ResourceControl {
  /** The table of limits, by name. It is here so that the bundle of a running box needs no second copy. */
  readonly rows: Readonly<Record<string, LimitRow>>;
  /** The limits in force, by name; set before the launch. */
  readonly limits: ReadonlyMap<string, LimitStatus>;
  /** One line per limit that is enforced less strictly than by the kernel. */
  readonly warnings: readonly string[];
  /** Starts watching the limits; called when the job starts. */
  start(): void;
  /** Carries out `set_limit`. Rejects with a SpecError for a bad value, an EnvironmentError if nothing can enforce it. */
  change(name: ResourceName, text: string): Promise<LimitStatus>;
  /**
   * Reads the limits back from the kernel after a change was made or tried: in v1, a change of the memory limit also moves the
   * swap limit. Updates `limits`.
   * @returns the limits whose values have changed
   */
  reread(): Promise<ReadonlyMap<string, LimitStatus>>;
  /**
   * Returns what the kernel did since the last call. Never throws.
   * @param usage as a sample has just read it
   */
  incidents(usage: CgroupUsage | null): IncidentCounts;
  /** One line per limit whose control group could not be read at the last `incidents`; each is returned once. */
  lost(): readonly string[];
  /** For another process that goes on with the box. */
  save(): SavedResources;
  /** Goes on with what another process has saved; `start` follows. */
  restore(saved: SavedResources): void;
  stop(): void;
}

export interface IncidentCounts {
  /** Processes killed by the OOM killer. */
  readonly oomKills: number;
  /** Forks refused because of the process limit. */
  readonly forksRefused: number;
  /** Peak memory of the group; null if the kernel does not record it. */
  readonly memoryPeakBytes: number | null;
}

export interface ResourceControlOptions {
  readonly resources: Resources;
  readonly enforce: 'strict' | 'best-effort';
  readonly cgroup: BoxCgroup;
  readonly host: HostConstraints;
  /** Carries out the changes of a running box. */
  readonly run: TaskRunner;
  readonly sample: SampleBox;
  /** Measures the box, for limits that only sampling enforces. */
  readonly look: WatchdogOptions['look'];
  readonly onExceeded: (name: WatchedName, used: number, limit: number) => void;
  /** Called with the usage of a limit that was measured between the samples. */
  readonly onUsed: (name: string, used: number) => void;
  /** Returns the usage at which `onUsed` is to be called next; null if it need not be. */
  readonly nextUsed: (name: string) => number | null;
}

/**
 * Puts the limits in force before the job exists.
 * @throws SpecError for values that this host cannot provide; EnvironmentError if `enforce` is `strict` and the kernel
 * cannot enforce a limit
 */
export function* createResourceControl(options: ResourceControlOptions): Task<ResourceControl> {
  const { resources, cgroup, host, run, sample } = options;
  const { limits, warnings } = yield* imposeLimits(options);
  const { look, onExceeded, onUsed, nextUsed } = options;
  const watchdog = createWatchdog({ look, onExceeded, onLooked: onUsed });
  const nearWatch = createNearWatch({
    async charged(name) {
      const file = cgroup.chargedFile(name);
      return file === null ? null : parseNumber((await sample({ files: [file] })).texts[0]?.trimEnd());
    },
    busyMemory: async () => busyMemory(await readUsage(cgroup, sample)),
    next: nextUsed,
    onUsed,
  });
  let swap: Bound | undefined = resources.swap;
  const kernel = kernelIncidents(limits);
  const watch = (name: string, { enforcement, value }: LimitStatus) => {
    if (!isWatched(name)) return;
    if (isCounted(name) && isKernels(enforcement)) nearWatch.watch(name);
    watchdog.watch(name, enforcement === 'watchdog' && typeof value === 'number' ? value : 'unlimited');
  };

  const change = function* (name: ResourceName, value: ResourceValue): Task<LimitStatus> {
    const { status, weaker } = yield* enforce(name, value, cgroup, host);
    const isUnheld = status.value === 'unlimited' || status.enforcement === 'none' || options.enforce === 'strict';
    if (weaker !== null && isUnheld) throw new EnvironmentError(weaker);
    limits.set(name, status);
    if (name === 'swap') swap = status.value as Bound;
    else if (name === 'memory' && swap === undefined) yield* disableSwap(cgroup, status.value);
    else if (name === 'memory') yield* restoreSwap(cgroup, swap as Bound);
    return status;
  };

  return {
    rows: LIMITS,
    limits,
    warnings,
    start() {
      for (const [name, status] of limits) watch(name, status);
    },
    async change(name, text) {
      const status = await run(change(name, changeOf(LIMITS[name] as LimitRow, text) as ResourceValue));
      watch(name, status);
      return status;
    },
    async reread() {
      const held = [...limits].filter(([, { enforcement }]) => isKernels(enforcement));
      const values = await run(together(held.map(([name]) => cgroup.inForce(name as CgroupLimitName))));
      const changed = new Map<string, LimitStatus>();
      for (const [index, [name, status]] of held.entries()) {
        const now = values[index] ?? null;
        if (now !== null && displayed(now) !== status.value) changed.set(name, { ...status, value: displayed(now) });
      }
      for (const [name, status] of changed) limits.set(name, status);
      return changed;
    },
    ...kernel,
    save: () => ({ limits: [...limits], swap: swap ?? null, ...kernel.seen() }),
    restore(saved) {
      for (const [name, status] of saved.limits) limits.set(name, status);
      swap = saved.swap ?? undefined;
      kernel.forget(saved);
    },
    stop() {
      watchdog.stop();
      nearWatch.stop();
    },
  };
}

/** @throws EnvironmentError if `enforce` is `strict` and the kernel cannot enforce a limit */
function* imposeLimits({
  resources,
  cgroup,
  host,
  ...options
}: ResourceControlOptions): Task<{ limits: Map<string, LimitStatus>; warnings: string[] }> {
  const limits = new Map<string, LimitStatus>();
  const warnings: string[] = [];
  for (const name of resourceNames()) {
    const value = resources[name];
    if (value === undefined) continue;
    const { status, weaker } = yield* enforce(name, value, cgroup, host);
    limits.set(name, status);
    if (name === 'memory' && resources.swap === undefined) yield* disableSwap(cgroup, status.value);
    if (weaker !== null) warnings.push(weaker);
  }
  if (options.enforce === 'strict' && warnings.length > 0) {
    throw new EnvironmentError(`${warnings.join('; ')}; --enforce best-effort starts the job anyway`);
  }
  return { limits, warnings };
}

/** Counts what the kernel does about the limits, and notices when it can no longer be asked. */
function kernelIncidents(limits: ReadonlyMap<string, LimitStatus>) {
  let seen = { oomKills: 0, forksRefused: 0 };
  let last: CgroupUsage | null = null;
  const told = new Set<string>();
  return {
    seen: () => seen,
    /** These have been told before. */
    forget({ oomKills, forksRefused }: typeof seen) {
      seen = { oomKills, forksRefused };
    },
    incidents(usage: CgroupUsage | null): IncidentCounts {
      // A counter that can no longer be read keeps its value.
      const now = {
        oomKills: Math.max(seen.oomKills, usage?.memory?.oomKills ?? 0),
        forksRefused: Math.max(seen.forksRefused, usage?.pids?.refused ?? 0),
      };
      const since = {
        oomKills: now.oomKills - seen.oomKills,
        forksRefused: now.forksRefused - seen.forksRefused,
        memoryPeakBytes: usage?.memory?.peakBytes ?? null,
      };
      seen = now;
      last = usage;
      return since;
    },
    lost() {
      const gone = [...limits].filter(
        ([name, { enforcement }]) => isKernels(enforcement) && isSilent(name, last) && !told.has(name),
      );
      for (const [name] of gone) told.add(name);
      return gone.map(
        ([name, { enforcement }]) => `${name} may no longer be held: its ${enforcement} group cannot be read`,
      );
    },
  };
}

function isCounted(name: string): name is CountedName {
  const row: LimitRow = LIMITS[name as LimitName];
  return row.cgroup?.used !== undefined;
}

function isWatched(name: string): name is WatchedName {
  const row: LimitRow = LIMITS[name as LimitName];
  return row.otherwise === 'watchdog';
}

/** Memory without page cache, which the kernel reclaims before it enforces the limit; in bytes. */
function busyMemory(usage: CgroupUsage | null): number | null {
  const memory = usage?.memory ?? null;
  return memory === null ? null : Math.max(0, memory.currentBytes - (memory.fileBytes ?? 0));
}

function isKernels(enforcement: LimitStatus['enforcement']): boolean {
  return enforcement === 'cgroup2' || enforcement === 'cgroup1';
}

function isSilent(name: string, usage: CgroupUsage | null): boolean {
  if (name === 'memory') return usage?.memory == null;
  return name === 'pids' && usage?.pids == null;
}
