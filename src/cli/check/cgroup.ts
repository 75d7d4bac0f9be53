import { existsSync, readdirSync, statSync } from 'node:fs';
import { fsPath } from '../../bytes.js';
import { BOX_GROUPS } from '../../cgroup/box-groups.js';
import { createCgroup } from '../../cgroup/create.js';
import { findHierarchies, type Hierarchies } from '../../cgroup/hierarchy.js';
import type { BoxCgroup, CgroupValue, CleanupStep } from '../../cgroup/types.js';
import { findDevice } from '../../kernel/devices.js';
import { readFile } from '../../kernel/files.js';
import { runHere } from '../../kernel/run-task.js';
import type { CgroupRow, LimitRow } from '../../options/table/limit.js';
import { type CgroupLimitName, isCgroupLimit, LIMITS, type LimitName } from '../../options/table/limits.js';
import type { Environment } from '../../scheduler/identity.js';
import { delegation, kernelArgument, type Place, parentOf, UNIFIED } from './remedies.js';
import { fail, pass, type Row, warn } from './row.js';

/** Checks control groups: the mounts, our own groups, and which limits a temporary group holds. */

const CGROUP_LIMITS = (Object.keys(LIMITS) as LimitName[]).filter(isCgroupLimit);

export interface CgroupInput {
  readonly name: string;
  readonly ourPids: readonly number[];
  readonly place: Omit<Place, 'unified'>;
  readonly environment: Environment;
  /** `--enforce strict`: a limit that the kernel does not hold is a failure. */
  readonly strict: boolean;
  readonly allowedCpus: string;
  /** Called with the steps that remove a group, before the group is made. @default nobody is told */
  readonly beforeMaking?: (steps: readonly CleanupStep[]) => void;
}

export interface CgroupCheck {
  readonly found: Hierarchies;
  readonly cgroup: BoxCgroup;
  readonly rows: readonly Row[];
}

/** Makes a temporary group, which the caller removes. */
export function checkCgroup(input: CgroupInput): CgroupCheck {
  const found = findHierarchies(readFile('/proc/self/mountinfo') ?? '', readFile('/proc/self/cgroup') ?? '');
  const { name, ourPids, beforeMaking } = input;
  const scheduled = input.place.scheduler !== 'none';
  const listed = input.place.scheduler === 'slurm';
  const request = {
    name,
    ourPids,
    limits: CGROUP_LIMITS,
    stayBelow: scheduled,
    scheduled,
    listed,
    below: [],
    oomGroup: true,
    ...(beforeMaking !== undefined && { beforeMaking }),
  };
  const cgroup = runHere(createCgroup(request));
  const limits = CGROUP_LIMITS.map((limit) => limitRow(limit, cgroup, found, input));
  const rows = [
    versions(found),
    ownGroup(found),
    ...prologGroups(found, input.environment),
    ...limits,
    leftovers(found),
  ];
  return { found, cgroup, rows };
}

/** The groups that Slurm's prolog has given the job, and how limits are held where it gave none. */
function prologGroups({ v1 }: Hierarchies, environment: Environment): Row[] {
  const name = `proc_box.${environment['SLURMD_NODENAME']}.${environment['SLURM_JOB_ID']}`;
  const given = [...v1].filter(([, place]) => isGiven(place.dir, place.mount, name)).map(([controller]) => controller);
  if (given.length === 0) return [];
  const lacking = [...v1.keys()].filter((controller) => !given.includes(controller));
  const evidence = `${name}: ${given.join(', ')}`;
  if (lacking.length === 0) return [pass('prolog groups', evidence)];
  const elsewhere = `${lacking.join(', ')} may belong to Slurm and is not delegated: there --memory is held below Slurm's group or by sampling, and suspend uses SIGSTOP`;
  return [warn('prolog groups', `${evidence}; ${elsewhere}`, delegation(SLURM_V1, lacking[0]!, ''))];
}

const SLURM_V1 = { scheduler: 'slurm', root: false, unified: false, systemd: false } as const;

/** Looks from our own group upwards, because the box may have made parents of it. */
function isGiven(dir: string, mount: string, name: string): boolean {
  for (let at = dir; at.length >= mount.length; at = parentOf(at)) {
    if (at.endsWith(`/${name}`) || existsSync(fsPath(`${at}/${name}`))) return true;
  }
  return false;
}

function versions({ v1, v2 }: Hierarchies): Row {
  const v1Text = v1.size === 0 ? '' : `v1: ${[...v1.keys()].join(' ')}`;
  const controllers = v2 === null ? '' : (readFile(`${v2.mount}/cgroup.controllers`) ?? '');
  const v2Text = v2 === null ? '' : `v2 at ${v2.mount}: ${controllers || 'no controllers'}`;
  const evidence = [v2Text, v1Text].filter(Boolean).join('; ');
  if (evidence === '')
    return warn(
      'cgroup versions',
      'no cgroup file system is mounted, or our group is not below the mount',
      'mount -t cgroup2 none /sys/fs/cgroup',
    );
  return v2 !== null && v1.size > 0
    ? warn('cgroup versions', `hybrid, ${evidence}`, UNIFIED)
    : pass('cgroup versions', evidence);
}

function ownGroup({ v1, v2 }: Hierarchies): Row {
  const text = [
    ...(v2 === null ? [] : [`v2 ${v2.dir}`]),
    ...[...v1].map(([controller, { dir }]) => `${controller} ${dir}`),
  ];
  return text.length === 0 ? warn('own group', 'none', UNIFIED) : pass('own group', text.join(', '));
}

/** Sets a harmless value, since only the kernel's answer shows whether a limit can be held. */
function limitRow(limit: CgroupLimitName, cgroup: BoxCgroup, found: Hierarchies, input: CgroupInput): Row {
  const name = `limit ${limit}`;
  try {
    const value = trialValue(limit, cgroup, input);
    if (value !== null) runHere(cgroup.set(limit, value));
    const by = cgroup.holds(limit);
    if ('mechanism' in by) return pass(name, `${by.mechanism}, ${groupOf(limit, by.mechanism, found, input.name)}`);
    return weaker(limit, by.why, found, input);
  } catch (error) {
    return weaker(limit, (error as Error).message, found, input);
  }
}

function trialValue(limit: CgroupLimitName, cgroup: BoxCgroup, { allowedCpus }: CgroupInput): CgroupValue | null {
  const { trial }: CgroupRow = LIMITS[limit].cgroup;
  if (typeof trial === 'number') return trial && Math.min(trial, Number(runHere(cgroup.ceiling(limit)).value) || trial);
  if (trial === 'allowed CPUs') return allowedCpus;
  const device = diskOfRoot();
  return device === null ? null : [{ device, rbps: 'unlimited' }];
}

function diskOfRoot(): string | null {
  try {
    return runHere(findDevice('/'));
  } catch {
    return null; // tmpfs, overlay, btrfs: then only the controller is checked
  }
}

function groupOf(limit: CgroupLimitName, mechanism: string, { v1, v2 }: Hierarchies, name: string): string {
  return mechanism === 'cgroup2' ? (v2?.dir ?? '') : `${v1.get(LIMITS[limit].cgroup.v1[0])?.dir ?? ''}/${name}`;
}

function weaker(limit: CgroupLimitName, why: string, found: Hierarchies, input: CgroupInput): Row {
  const { otherwise }: LimitRow = LIMITS[limit];
  const held = otherwise === 'watchdog' ? 'held by sampling only' : 'not held at all';
  return (input.strict ? fail : warn)(`limit ${limit}`, `${held}: ${why}`, fixOf(limit, found, input));
}

function fixOf(limit: CgroupLimitName, { v1, v2 }: Hierarchies, { place }: CgroupInput): string {
  const { argument, ...row }: CgroupRow = LIMITS[limit].cgroup;
  const [v1Name, v1File] = row.v1;
  const [v2Name] = row.v2;
  const v1Place = v1.get(v1Name);
  if (v1Place !== undefined) {
    if (v1File === null) return UNIFIED;
    if (argument !== undefined && readFile(`${v1Place.dir}/${v1File}`) === null) return kernelArgument(argument);
    return delegation({ ...place, unified: false }, v1Name, v1Place.dir);
  }
  if (v2 === null) return UNIFIED;
  const offered = (readFile(`${v2.mount}/cgroup.controllers`) ?? readFile(`${v2.dir}/cgroup.controllers`) ?? '').split(
    ' ',
  );
  if (!offered.includes(v2Name)) return kernelArgument(argument);
  return delegation({ ...place, unified: true }, v2Name, v2.dir);
}

/** Groups left by boxes whose wrapper and keeper were both killed. */
function leftovers({ v1, v2 }: Hierarchies): Row {
  const places = [...new Set([...(v2 === null ? [] : [v2.dir]), ...[...v1.values()].map(({ dir }) => dir)])];
  const left = places.flatMap(emptyBoxes);
  if (left.length === 0) return pass('leftover groups', 'none');
  return warn(
    'leftover groups',
    `${left.length} without a process, for example ${left[0]}`,
    `rmdir ${left.slice(0, 5).join(' ')}`,
  );
}

function emptyBoxes(dir: string): string[] {
  try {
    return readdirSync(fsPath(dir))
      .filter((name) => name.startsWith(BOX_GROUPS.prefix))
      .map((name) => `${dir}/${name}`)
      .filter(
        (path) =>
          readFile(`${path}/cgroup.procs`) === '' &&
          Date.now() - statSync(fsPath(path)).mtimeMs > BOX_GROUPS.minAgeSec * 1000,
      );
  } catch {
    return []; // we may not look, or it has gone meanwhile
  }
}
