import { sampleTree } from 'cgroup-utils-native';
import { readFileSync } from 'node:fs';
import type { Box } from '../box/box.js';
import { createResourceControl, type ResourceControl } from '../box/resource-control.js';
import { cgroupNames } from '../box/resources.js';
import type { Watched } from '../box/watchdog.js';
import { createCgroup, removeCgroup } from '../cgroup/create.js';
import { noCgroup } from '../cgroup/none.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { findScheduler } from '../scheduler/identity.js';
import type { BoxSpec } from '../spec/spec.js';

/**
 * Control groups and limits of a box, in force before its job exists.
 * @throws SpecError, EnvironmentError; nothing is left behind then
 */
export function prepareResources(
  spec: BoxSpec,
  boxId: string,
  keeperPid: number,
  box: () => Box | undefined,
  now: () => number,
): { cgroup: BoxCgroup; control: ResourceControl } {
  const limits = cgroupNames(spec.resources);
  const cgroup =
    spec.cgroup === 'off'
      ? noCgroup('--cgroup off')
      : createCgroup({
          name: `proc_box-${boxId}`,
          limits,
          // Without a limit to hold there is no reason to leave the group that a session or service manager gave.
          stayBelow: limits.length === 0 || findScheduler(process.env) !== 'none',
          ourPids: [process.pid, keeperPid],
          below: spec.cgroup === 'auto' ? null : spec.cgroup,
          oomGroup: spec.oomGroup,
        });
  try {
    const control = createResourceControl({
      resources: spec.resources,
      enforce: spec.enforce,
      cgroup,
      allowedCpus,
      look: () => look(keeperPid),
      onExceeded: (name, used, limit) => box()?.exceeded(name, used, limit),
      now,
    });
    return { cgroup, control };
  } catch (error) {
    removeCgroup(cgroup);
    throw error;
  }
}

function allowedCpus(): string {
  return /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
}

function look(keeperPid: number): Watched {
  const tree = sampleTree(keeperPid, { rows: 0 });
  return { memory: tree.rssBytes, pids: tree.threads, 'cpu-time': (tree.userUsec + tree.systemUsec) / 1000 };
}
