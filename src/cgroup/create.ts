import { access, allowedCpuCount, processDirectory } from 'cgroup-utils-native';
import { readFile, tryWrite } from '../kernel/files.js';
import type { CgroupRow } from '../options/table/limit.js';
import { type CgroupLimitName, LIMITS } from '../options/table/limits.js';
import { isBelow, parentOf, placeBelow } from './below.js';
import { compose } from './compose.js';
import { type Controller, findHierarchies, type Hierarchies } from './hierarchy.js';
import { clean } from './remove.js';
import type { Adoption, BoxCgroup, CleanupStep } from './types.js';
import { makeV1, setV1, type V1Groups } from './v1.js';
import { makeV2, setV2, type V2Controller, type V2Group } from './v2.js';

export interface CgroupRequest {
  /** Name of the box's directories; one path segment. */
  readonly name: string;
  /** Limits that were asked for. */
  readonly limits: readonly CgroupLimitName[];
  /** Never above our own group: inside a scheduler's job, and where no limit asks for it. */
  readonly stayBelow: boolean;
  /** Inside a scheduler's job: then `below` must be inside of its group, too. */
  readonly scheduled: boolean;
  /**
   * The scheduler finds the processes of a job by the list of its own group alone, as Slurm does: a process below it would
   * get none of its signals, and outlive the job. @default false
   */
  readonly listed?: boolean;
  /** The wrapper and its keeper. */
  readonly ourPids: readonly number[];
  /**
   * Put the box below these directories (`--cgroup <path>`), or where we are. Of several, each of a hierarchy of its own,
   * those that are no place for the box are left out.
   */
  readonly below: readonly string[];
  /** Somebody reads them, or may ask for the box to be suspended. @default true */
  readonly figures?: boolean;
  /** Kill the whole box when the kernel kills one process of it for memory. */
  readonly oomGroup: boolean;
  /** Told before something is made how to take it away: for whoever does that if we die. @default nobody is */
  readonly beforeMaking?: (steps: readonly CleanupStep[]) => void;
  /** A process that runs already: the box is made below its groups, and it is moved there. @default a job to be launched */
  readonly adopt?: Adoption;
  /** @default /proc */
  readonly proc?: string;
}

/**
 * Makes the box's groups. What cannot be had is told by `holds`.
 * @throws SpecError where `below` is no place for a box; nothing is made then
 */
export function createCgroup(request: CgroupRequest): BoxCgroup {
  const proc = request.proc ?? '/proc';
  // v1 shows a main thread that has ended in the root of each hierarchy.
  const whose = request.adopt === undefined ? `${proc}/self` : processDirectory(request.adopt.pid);
  const own = findHierarchies(readFile(`${proc}/self/mountinfo`) ?? '', readFile(`${whose}/cgroup`) ?? '');
  const { found, v2Below } = placeBelow(own, request);
  const v2 = makeOurV2(found, v2Below, request);
  const v2Group = 'dir' in v2 ? v2 : null;
  const v1 = makeV1(found, v1Wanted(found, request, v2Group), request);
  if (v2Group?.controllers.has('memory') && request.oomGroup) tryOomGroup(v2Group.dir);
  if (weighedAsOne(request)) tryWeight(v2Group, v1);
  return compose(found, v2, v1);
}

/**
 * Processes without end shall not starve what is beside them, the wrapper first: a box with a limit of processes gets
 * CPU time as one, however many they are. 64 forking ones delay an answer by 10 ms then, and by 200 ms without.
 */
function weighedAsOne({ limits }: CgroupRequest): boolean {
  return limits.includes('pids') && !limits.includes('cpu-weight');
}

/** As much as one process a CPU would get. */
function tryWeight(v2Group: V2Group | null, v1: V1Groups): void {
  const weight = Math.min(10_000, 100 * allowedCpuCount());
  const cpuDir = v1.dir('cpu');
  try {
    if (v2Group?.controllers.has('cpu')) setV2(v2Group.dir, 'cpu-weight', weight);
    else if (cpuDir !== undefined) setV1(cpuDir, 'cpu-weight', weight);
  } catch {
    // Nobody has asked for it.
  }
}

function makeOurV2(
  { v2: place, v1 }: Hierarchies,
  below: string | null,
  request: CgroupRequest,
): V2Group | { why: string } {
  if (place === null) return { why: 'no cgroup2 is mounted' };
  // Where v1 has the freezer that is the list, and v2 is nobody's.
  if (request.listed && !v1.has('freezer')) return { why: whyListed(place.dir) };
  const needed = [...new Set<V2Controller>(request.limits.map((limit) => LIMITS[limit].cgroup.v2[0]))];
  const { name, ourPids, beforeMaking = () => {}, adopt } = request;
  const optional: V2Controller[] = weighedAsOne(request) ? ['cpu'] : [];
  const at = below === null ? place : { dir: below, mount: place.mount };
  // What runs already has been put where it is by somebody.
  const stayBelow = request.stayBelow || below !== null || adopt !== undefined;
  const group = makeV2({ place: at, name, needed, optional, stayBelow, ourPids, beforeMaking, adopt });
  const refusal = 'dir' in group ? whyNotJoined(place.dir, group.dir) : null;
  if (!('dir' in group) || refusal === null) return group;
  clean(group.cleanup);
  return { why: refusal };
}

function whyListed(dir: string): string {
  return `Slurm finds the processes of a task in ${dir} alone, so none may be in a group below it; its own --mem and --cpus-per-task are held by the kernel (docs/slurm.md)`;
}

/** The kernel asks for write permission to the `cgroup.procs` of the nearest group around both places. cgroup-v2.rst */
function whyNotJoined(from: string, to: string): string | null {
  let around = from;
  while (!isBelow(to, around)) around = parentOf(around);
  const file = `${around}/cgroup.procs`;
  const code = access(file, true);
  if (code === null) return null;
  return `write to ${file}: ${code}; no process may be moved from ${from} to ${to}: ask the administrator to delegate ${around} (docs/limits.md)`;
}

/** What limits need and v2 does not give, and where somebody reads figures those of memory, processes and I/O. */
function v1Wanted({ v1 }: Hierarchies, request: CgroupRequest, v2: V2Group | null): Controller[] {
  const { limits, figures = true, scheduled, listed, adopt, below } = request;
  const wanted = new Set<Controller>();
  if (weighedAsOne(request) && !v2?.controllers.has('cpu')) wanted.add('cpu');
  for (const limit of limits) {
    const { v1, v2: inV2 }: CgroupRow = LIMITS[limit].cgroup;
    if (!v2?.controllers.has(inV2[0])) wanted.add(v1[0]);
  }
  if (figures) {
    for (const [controller, v2Name] of [
      ['memory', 'memory'],
      ['pids', 'pids'],
      ['blkio', 'io'],
    ] as const) {
      if (!v2?.controllers.has(v2Name)) wanted.add(controller);
    }
    if (v2 === null) {
      // A scheduler looks for the processes of a job in its own freezer group, not below it.
      const given = below.includes(v1.get('freezer')?.dir ?? '');
      if (!(listed || (scheduled && adopt !== undefined)) || given) wanted.add('freezer');
      wanted.add('cpuacct');
    }
  }
  return [...wanted].filter((controller) => v1.has(controller));
}

function tryOomGroup(dir: string): void {
  // Not before Linux 4.19: the kernel then kills one process at a time.
  tryWrite(`${dir}/memory.oom.group`, '1');
}
