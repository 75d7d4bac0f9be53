import type { BoxCgroup } from '../cgroup/types.js';
import type { CgroupUsage } from '../cgroup/usage.js';
import { EnvironmentError } from '../errors.js';
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
import { type Host, hold, holdSwapAgain, type ResourceValue, shown, withoutSwap } from './resources.js';
import { createWatchdog, type Watched } from './watchdog.js';

/** Holds the limits of a box as a whole, and knows when the kernel has acted on one. */
export interface ResourceControl {
  /** The table of limits, by name. It comes with the control so that the bundle of a running box needs no second copy. */
  readonly rows: Readonly<Record<string, LimitRow>>;
  /** In force since before the launch, by name. */
  readonly limits: ReadonlyMap<string, LimitStatus>;
  /** One line a limit that is held weaker than by the kernel. */
  readonly warnings: readonly string[];
  /** From the launch on. */
  start(): void;
  /** `set_limit`. @throws SpecError for a bad value, EnvironmentError where nothing can hold it */
  change(name: ResourceName, text: string): LimitStatus;
  /**
   * Reads what the kernel holds, after a change or an attempt at one: in v1 a limit of memory takes that of swap with it.
   * @returns the limits that are others now than `limits` said, which says so from now on
   */
  reread(): ReadonlyMap<string, LimitStatus>;
  /**
   * What the kernel did since the last call. Never throws.
   * @param usage as a sample has just read it @default read now
   */
  incidents(usage?: CgroupUsage | null): Incidents;
  /** One line for each limit whose control group had disappeared at the last `incidents`; each is told once. */
  lost(): readonly string[];
  stop(): void;
}

export interface Incidents {
  /** Processes that the kernel has killed for memory. */
  readonly oomKills: number;
  /** Forks that the limit of processes has refused. */
  readonly forksRefused: number;
  /** Highest memory that the group has counted; null where it keeps no mark. */
  readonly memoryPeakBytes: number | null;
}

export interface ResourceControlOptions {
  readonly resources: Resources;
  readonly enforce: 'strict' | 'best-effort';
  readonly cgroup: BoxCgroup;
  readonly host: Host;
  /** For limits that only sampling holds. */
  readonly look: () => Watched;
  readonly onExceeded: (name: WatchedName, used: number, limit: number) => void;
  /** So much of a limit is used, as a look between the samples has found it. */
  readonly onUsed: (name: string, used: number) => void;
  /** What of a limit is worth the next `onUsed`; null where nothing is. */
  readonly nextUsed: (name: string) => number | null;
  readonly now: () => number;
}

/**
 * Puts the limits in force, before the job exists.
 * @throws SpecError for values that this host cannot have; EnvironmentError where `strict` asks for more than it allows
 */
export function createResourceControl(options: ResourceControlOptions): ResourceControl {
  const { resources, cgroup, host } = options;
  const limits = new Map<string, LimitStatus>();
  const warnings: string[] = [];
  const { look, onExceeded, onUsed, nextUsed, now } = options;
  const watchdog = createWatchdog({ look, onExceeded, onLooked: onUsed, now });
  const nearWatch = createNearWatch({
    charged: (name) => cgroup.charged(name),
    busyMemory: () => busyMemory(cgroup.usage()),
    next: nextUsed,
    onUsed,
  });
  let seen = { oomKills: 0, forksRefused: 0 };
  let last: CgroupUsage | null = null;
  const told = new Set<string>();
  let swap: Bound | undefined = resources.swap;
  const watch = (name: string, { enforcement, value }: LimitStatus) => {
    if (!isWatched(name)) return;
    if (isCounted(name) && isKernels(enforcement)) nearWatch.watch(name);
    watchdog.watch(name, enforcement === 'watchdog' && typeof value === 'number' ? value : 'unlimited');
  };

  for (const name of resourceNames()) {
    const value = resources[name];
    if (value === undefined) continue;
    const { status, weaker } = hold(name, value, cgroup, host);
    limits.set(name, status);
    if (name === 'memory' && resources.swap === undefined) withoutSwap(cgroup, status.value);
    if (weaker !== null) warnings.push(weaker);
  }
  if (options.enforce === 'strict' && warnings.length > 0) {
    throw new EnvironmentError(`${warnings.join('; ')}; --enforce best-effort starts the job all the same`);
  }
  return {
    rows: LIMITS,
    limits,
    warnings,
    start() {
      for (const [name, status] of limits) watch(name, status);
    },
    change(name, text) {
      const { status, weaker } = hold(name, changeOf(LIMITS[name] as LimitRow, text) as ResourceValue, cgroup, host);
      const value = status.value;
      if (weaker !== null && (value === 'unlimited' || status.enforcement === 'none' || options.enforce === 'strict'))
        throw new EnvironmentError(weaker);
      limits.set(name, status);
      if (name === 'swap') swap = value as Bound;
      else if (name === 'memory' && swap === undefined) withoutSwap(cgroup, value);
      else if (name === 'memory') holdSwapAgain(cgroup, swap as Bound);
      watch(name, status);
      return status;
    },
    reread() {
      const changed = new Map<string, LimitStatus>();
      for (const [name, status] of limits) {
        if (!isKernels(status.enforcement)) continue;
        const now = cgroup.inForce(name as CgroupLimitName);
        if (now !== null && shown(now) !== status.value) changed.set(name, { ...status, value: shown(now) });
      }
      for (const [name, status] of changed) limits.set(name, status);
      return changed;
    },
    incidents(usage = cgroup.usage()) {
      // A counter that cannot be read any more stays where it was.
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
        ([name, { enforcement }]) => `${name} may not be held any more: its ${enforcement} group cannot be read`,
      );
    },
    stop() {
      watchdog.stop();
      nearWatch.stop();
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

/** Page cache is given back before the limit stops anybody. */
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
