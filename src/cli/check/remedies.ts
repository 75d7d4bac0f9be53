import { existsSync, readFileSync } from 'node:fs';
import type { SchedulerName } from '../../scheduler/identity.js';

/** The commands and settings that let the kernel hold a limit, which docs/limits.md has, too; and those that mend an installation. */

export interface Place {
  readonly scheduler: SchedulerName;
  readonly root: boolean;
  /** The controllers belong to v2, else to v1. */
  readonly unified: boolean;
  /** systemd is PID 1. */
  readonly systemd: boolean;
}

/**
 * Slurm never uses these v1 controllers, so its prolog may always give users groups of them:
 * scripts/site/slurm/prolog/prolog.
 */
export const PROLOG_FREE: ReadonlySet<string> = new Set(['pids', 'blkio', 'cpu']);

/** The remedy for a controller that exists but is not delegated to this user. */
export function delegation({ scheduler, root, unified, systemd }: Place, controller: string, ownDir: string): string {
  if (scheduler === 'slurm') {
    return unified
      ? 'not possible for a box, because Slurm finds only processes in its own groups; cgroup.conf: ConstrainRAMSpace=yes, ConstrainCores=yes hold the whole job (docs/slurm.md)'
      : `proc_box's SPANK plugin for Slurm, which makes groups for users (docs/slurm.md); ${PROLOG_FREE.has(controller) ? "so does Slurm's Prolog" : "Slurm's Prolog does so only if slurm.conf says that Slurm itself uses no groups (docs/slurm-prolog.md)"}; cgroup.conf: ConstrainRAMSpace=yes, ConstrainCores=yes hold the whole job`;
  }
  if (!unified)
    return `mkdir ${ownDir}/<user> && chown <user> ${ownDir}/<user> ${ownDir}/<user>/{cgroup.procs,tasks}; start the session in it`;
  if (!systemd)
    return `echo +${controller} > ${parentOf(ownDir)}/cgroup.subtree_control, and chown ${ownDir} with its cgroup.procs and cgroup.subtree_control to the user`;
  if (root) return `systemd-run --scope -p Delegate=yes proc_box ...`;
  return `systemd-run --user --scope -p Delegate=yes proc_box ...; if ${controller} is missing there, /etc/systemd/system/user@.service.d/delegate.conf: [Service] Delegate=cpu cpuset io memory pids`;
}

/**
 * The remedy for a controller that the kernel does not offer.
 * @param argument kernel argument that enables it, if any
 */
export function kernelArgument(argument: string | undefined): string {
  if (argument !== undefined) return `kernel argument ${argument}`;
  return 'a kernel with this controller, or remove cgroup_disable= from its arguments';
}

/**
 * What replaces a part of the installation that is missing. npm 12 runs no install script without being asked, not even
 * for `npm rebuild`. @param root folder of the package, or of a checkout @param node the Node that it is built for
 */
export function rebuild(root: string, node: string = process.execPath): string {
  const kind = packageKind(root);
  if (kind === 'deb') return 'apt-get install --reinstall proc-box';
  if (kind === 'rpm') return 'dnf reinstall proc-box';
  if (kind === 'tarball') return 'unpack the tarball again';
  const script = existsSync(`${root}/src`) ? 'build.mjs' : 'install.mjs';
  return `${node} ${root}/scripts/build/${script}`;
}

/** What has installed us; scripts/package/stage.mjs writes the file. Undefined for npm and for a checkout. */
export function packageKind(root: string): string | undefined {
  try {
    return readFileSync(`${root}/package-kind`, 'utf8').trim();
  } catch {
    return undefined; // ENOENT
  }
}

export const UNIFIED = 'kernel argument systemd.unified_cgroup_hierarchy=1: everything in cgroup v2';

export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
