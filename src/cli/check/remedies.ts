import type { SchedulerName } from '../../scheduler/identity.js';

/** Which command or line of which file gives a user what the kernel did not. docs/limits.md has the same. */

export interface Place {
  readonly scheduler: SchedulerName;
  readonly root: boolean;
  /** v2 has the controllers; else v1 has. */
  readonly unified: boolean;
  /** systemd is PID 1. */
  readonly systemd: boolean;
}

/** No Slurm uses these controllers of v1, so its prolog may always give users a group of them: scripts/site/slurm/prolog/prolog. */
export const PROLOG_FREE: ReadonlySet<string> = new Set(['pids', 'blkio', 'cpu']);

/** For a controller that is there and not ours. */
export function delegation({ scheduler, root, unified, systemd }: Place, controller: string, ownDir: string): string {
  if (scheduler === 'slurm') {
    return unified
      ? 'none: Slurm finds processes by the list of its own groups alone; cgroup.conf: ConstrainRAMSpace=yes, ConstrainCores=yes hold the whole job (docs/slurm.md)'
      : `Slurm's SPANK plugin as proc_box installs it, which makes groups for users (docs/slurm.md); ${PROLOG_FREE.has(controller) ? "so does Slurm's Prolog" : "Slurm's Prolog does so only where slurm.conf says that Slurm itself uses none (docs/slurm-prolog.md)"}; cgroup.conf: ConstrainRAMSpace=yes, ConstrainCores=yes hold the whole job`;
  }
  if (!unified)
    return `mkdir ${ownDir}/<user> && chown <user> ${ownDir}/<user> ${ownDir}/<user>/{cgroup.procs,tasks}; start the session in it`;
  if (!systemd)
    return `echo +${controller} > ${parentOf(ownDir)}/cgroup.subtree_control, and chown ${ownDir} with its cgroup.procs and cgroup.subtree_control to the user`;
  if (root) return `systemd-run --scope -p Delegate=yes proc_box ...`;
  return `systemd-run --user --scope -p Delegate=yes proc_box ...; where ${controller} is missing there, /etc/systemd/system/user@.service.d/delegate.conf: [Service] Delegate=cpu cpuset io memory pids`;
}

/** For a controller that the kernel does not have at all. @param argument what brings it, where one does */
export function kernelArgument(argument: string | undefined): string {
  if (argument !== undefined) return `kernel argument ${argument}`;
  return 'a kernel with this controller, or remove cgroup_disable= from its arguments';
}

export const UNIFIED = 'kernel argument systemd.unified_cgroup_hierarchy=1: everything in cgroup v2';

export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
