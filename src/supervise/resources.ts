import type { Keeper, ProcessRow } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import { createResourceControl, type ResourceControl } from '../box/resource-control.js';
import { cgroupNames } from '../box/resources.js';
import type { Look } from '../box/watchdog.js';
import { BOX_GROUPS, boxGroupName } from '../cgroup/box-groups.js';
import { createCgroup } from '../cgroup/create.js';
import { noCgroup } from '../cgroup/none.js';
import { releaseCgroup, removeCgroup } from '../cgroup/remove.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { allowedCpus } from '../kernel/cpus.js';
import type { Task, TaskRunner } from '../kernel/task.js';
import { toTexts } from '../kernel/texts.js';
import { type BoxSpec, isObserved } from '../options/spec.js';
import type { WatchedName } from '../options/table/limits.js';
import { findScheduler, jobWord } from '../scheduler/identity.js';
import type { Subject } from './subject.js';

export interface ResourceInput {
  /** The groups exist, and the keeper knows how to remove them. @default false */
  readonly isMade?: boolean;
  readonly spec: BoxSpec;
  readonly boxId: string;
  readonly keeper: Keeper;
  readonly subject: Subject;
  readonly box: () => Box | undefined;
  /** Carries out the changes of the running box. */
  readonly run: TaskRunner;
}

/**
 * Makes the control groups of a box and sets its limits, before its job exists.
 * @throws SpecError, EnvironmentError; then nothing is left behind
 */
export function* prepareResources(input: ResourceInput): Task<{ cgroup: BoxCgroup; control: ResourceControl }> {
  const { spec, keeper, subject, box, run } = input;
  const { adopted } = subject;
  const cgroup = spec.cgroup === 'off' ? noCgroup('--cgroup off') : yield* makeGroups(input);
  // The largest processes when the watchdog last looked, for the event `limit_exceeded`.
  let largest: readonly ProcessRow[] = [];
  try {
    const control = yield* createResourceControl({
      resources: spec.resources,
      enforce: spec.enforce,
      cgroup,
      host: { allowedCpus: () => allowedCpus(adopted?.pid ?? null) },
      run,
      sample: (wanted) => keeper.sample(wanted),
      look: async (names) => {
        const { rows, ...seen } = await look(names, cgroup, keeper, spec.rows);
        largest = rows;
        return seen;
      },
      onExceeded: (name, used, limit) => box()?.exceeded(name, used, limit, largest),
      onUsed: (name, used) => box()?.near.used(name, used),
      nextUsed: (name) => box()?.near.next(name) ?? null,
    });
    return { cgroup, control };
  } catch (error) {
    yield* adopted === null ? removeCgroup(cgroup) : releaseCgroup(cgroup, adopted);
    throw error;
  }
}

function makeGroups({ spec, boxId, keeper, subject, isMade = false }: ResourceInput): Task<BoxCgroup> {
  const limits = cgroupNames(spec.resources);
  const { environment, adopted } = subject;
  const scheduler = findScheduler(environment);
  const scheduled = scheduler !== 'none';
  return createCgroup({
    name: boxGroupName(boxId, [jobWord(environment) ?? []].flat()),
    limits,
    // A box without limits has no reason to leave the group that a session or service manager gave.
    stayBelow: limits.length === 0 || scheduled,
    scheduled,
    listed: scheduler === 'slurm',
    ourPids: subject.ourPids,
    below: spec.cgroup === 'auto' || spec.cgroup === 'off' ? [] : spec.cgroup,
    figures: isObserved(spec) || spec.resources['cpu-time'] !== undefined,
    oomGroup: spec.oomGroup,
    beforeMaking: (steps) => {
      if (!isMade) keeper.cleanup(steps, BOX_GROUPS);
    },
    ...(adopted !== null && { adopt: adopted }),
  });
}

/** Measures what the watchdog watches. The walk costs more than the group's counters, and not every limit needs it. */
async function look(
  names: readonly WatchedName[],
  cgroup: BoxCgroup,
  keeper: Keeper,
  rows: number,
): Promise<Look & { rows: readonly ProcessRow[] }> {
  const files = names.includes('cpu-time') ? cgroup.usageFiles() : [];
  const needsWalk = files.length === 0 || names.some((name) => name !== 'cpu-time');
  let { usage, tree, texts, costUsec } = await keeper.sample({ files, walk: needsWalk, rows });
  const counted = cgroup.usage(toTexts(files, texts))?.cpu?.usageUsec;
  if (tree === null && counted === undefined) {
    const walked = await keeper.sample({ walk: true, rows });
    [usage, tree] = [walked.usage, walked.tree];
    costUsec += walked.costUsec;
  }
  const usec = counted ?? (tree?.userUsec ?? 0) + (tree?.systemUsec ?? 0) + usage.userUsec + usage.systemUsec;
  const ofTree = tree === null ? {} : { memory: tree.rssBytes, pids: tree.threads };
  return { watched: { ...ofTree, 'cpu-time': usec / 1000 }, costMs: costUsec / 1000, rows: tree?.rows ?? [] };
}
