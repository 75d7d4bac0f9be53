import type { Keeper, ProcessRow, TreeSample } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import { createResourceControl, type ResourceControl } from '../box/resource-control.js';
import { cgroupNames } from '../box/resources.js';
import type { Watched } from '../box/watchdog.js';
import { BOX_GROUPS, boxGroupName } from '../cgroup/box-groups.js';
import { createCgroup } from '../cgroup/create.js';
import { noCgroup } from '../cgroup/none.js';
import { releaseCgroup, removeCgroup } from '../cgroup/remove.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { readFile } from '../kernel/files.js';
import { type BoxSpec, isObserved } from '../options/spec.js';
import { findScheduler, jobWord } from '../scheduler/identity.js';
import type { Subject } from './subject.js';

/**
 * Makes the control groups of a box and sets its limits, before its job exists.
 * @throws SpecError, EnvironmentError; then nothing is left behind
 */
export function prepareResources(
  spec: BoxSpec,
  boxId: string,
  keeper: Keeper,
  subject: Subject,
  box: () => Box | undefined,
): { cgroup: BoxCgroup; control: ResourceControl } {
  const keeperPid = keeper.pid;
  const limits = cgroupNames(spec.resources);
  const { environment, adopted } = subject;
  const scheduler = findScheduler(environment);
  const scheduled = scheduler !== 'none';
  const cgroup =
    spec.cgroup === 'off'
      ? noCgroup('--cgroup off')
      : createCgroup({
          name: boxGroupName(boxId, [jobWord(environment) ?? []].flat()),
          limits,
          // A box without limits has no reason to leave the group that a session or service manager gave.
          stayBelow: limits.length === 0 || scheduled,
          scheduled,
          listed: scheduler === 'slurm',
          ourPids: subject.ourPids,
          below: spec.cgroup === 'auto' ? [] : spec.cgroup,
          figures: isObserved(spec) || spec.resources['cpu-time'] !== undefined,
          oomGroup: spec.oomGroup,
          beforeMaking: (steps) => keeper.cleanup(steps, BOX_GROUPS),
          ...(adopted !== null && { adopt: adopted }),
        });
  // The largest processes when the watchdog last looked, for the event `limit_exceeded`.
  let largest: readonly ProcessRow[] = [];
  const walk = () => {
    const tree = subject.walk({ rows: spec.rows });
    largest = tree.rows;
    return tree;
  };
  try {
    const control = createResourceControl({
      resources: spec.resources,
      enforce: spec.enforce,
      cgroup,
      host: { allowedCpus: () => allowedCpus(adopted?.pid ?? 'self'), samplingObstacle: subject.blind },
      look: () => look(cgroup, keeperPid, walk),
      onExceeded: (name, used, limit) => box()?.exceeded(name, used, limit, largest),
      onUsed: (name, used) => box()?.near.used(name, used),
      nextUsed: (name) => box()?.near.next(name) ?? null,
      now: cpuMs,
    });
    return { cgroup, control };
  } catch (error) {
    if (adopted === null) removeCgroup(cgroup);
    else releaseCgroup(cgroup, adopted);
    throw error;
  }
}

function allowedCpus(pid: number | 'self'): string {
  return /^Cpus_allowed_list:\s*(.*)$/m.exec(readFile(`/proc/${pid}/status`) ?? '')?.[1] ?? '';
}

/** Each figure is read when it is asked for, because the walk costs more than reading the group's counters. */
function look(cgroup: BoxCgroup, keeperPid: number, walk: () => TreeSample): Watched {
  let walked: TreeSample | undefined;
  const tree = () => {
    walked ??= walk();
    return walked;
  };
  return {
    get memory() {
      return tree().rssBytes;
    },
    get pids() {
      return tree().threads;
    },
    get 'cpu-time'() {
      const usec = cgroup.usage()?.cpu?.usageUsec ?? tree().userUsec + tree().systemUsec + reapedUsec(keeperPid);
      return usec / 1000;
    },
  };
}

const TICK_USEC = 10_000;

/** CPU time of the processes that the keeper has reaped: cutime and cstime of proc_pid_stat(5). */
function reapedUsec(keeperPid: number): number {
  const stat = readFile(`/proc/${keeperPid}/stat`) ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * TICK_USEC;
}

/** CPU time of this process in ms. Unlike wall time, it does not count waits for a CPU as a cost of the watchdog. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
