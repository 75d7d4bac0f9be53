import { allowedCpus } from '../kernel/cpus.js';
import { type Task, tryWrite } from '../kernel/task.js';
import { cpuCount } from '../options/resources.js';
import type { CgroupRow } from '../options/table/limit.js';
import { type CgroupLimitName, LIMITS } from '../options/table/limits.js';
import { placeBelow } from './below.js';
import { compose } from './compose.js';
import { type Controller, findHierarchies, type Hierarchies } from './hierarchy.js';
import type { Adoption, BoxCgroup, CleanupStep } from './types.js';
import { makeV1, setV1, type V1Groups } from './v1.js';
import { makeV2, setV2, type V2Controller, type V2Group } from './v2.js';

export interface CgroupRequest {
  /** Name of the box's directories, a single path segment. */
  readonly name: string;
  /** The limits that were asked for. */
  readonly limits: readonly CgroupLimitName[];
  /** Make nothing above our own group: inside a scheduler's job, or if no limit needs it. */
  readonly stayBelow: boolean;
  /** True inside a scheduler's job. Then `below` must be inside the scheduler's group, too. */
  readonly scheduled: boolean;
  /**
   * True if the scheduler finds a job's processes only by the list of its own group, as Slurm does. It would not signal a
   * process in a group below, and such a process would outlive the job. @default false
   */
  readonly listed?: boolean;
  /** Process ids of the wrapper and its keeper. */
  readonly ourPids: readonly number[];
  /**
   * Make the box below these directories (`--cgroup <path>`); empty: below our own groups. If there are several, each from
   * its own hierarchy, those in which no box can be made are left out.
   */
  readonly below: readonly string[];
  /** True if the groups' figures are read, or the box may have to be suspended. @default true */
  readonly figures?: boolean;
  /** Kill the whole box if the OOM killer kills one of its processes. */
  readonly oomGroup: boolean;
  /** Called before anything is made, with the steps that remove it, so that the keeper can do so if we die. @default not called */
  readonly beforeMaking?: (steps: readonly CleanupStep[]) => void;
  /** A running process: the box is made below its groups, and the process is moved there. @default a job to be launched */
  readonly adopt?: Adoption;
  /** @default /proc */
  readonly proc?: string;
}

/**
 * Makes the box's groups. `holds` says which limits they cannot enforce.
 * @throws SpecError if no box can be made in `below`; then nothing has been made
 */
export function* createCgroup(request: CgroupRequest): Task<BoxCgroup> {
  const own = yield* hierarchiesOf(request);
  const { found, v2Below } = yield* placeBelow(own, request);
  const v2 = yield* makeOurV2(found, v2Below, request);
  const v2Group = 'dir' in v2 ? v2 : null;
  const v1 = yield* makeV1(found, v1Wanted(found, request, v2Group), request);
  // Before Linux 4.19 there is no such file, and the kernel kills one process at a time.
  if (v2Group?.controllers.has('memory') && request.oomGroup) yield* tryWrite(`${v2Group.dir}/memory.oom.group`, '1');
  if (weighedAsOne(request)) yield* tryWeight(v2Group, v1);
  return compose(found, v2, v1);
}

/** If the main thread of an adopted process has ended, v1 shows it in the root of each hierarchy: this looks at a live thread. */
function* hierarchiesOf({ proc, adopt }: CgroupRequest): Task<Hierarchies> {
  const [mountinfo, cgroup] = yield proc === undefined
    ? [{ op: 'mountinfo' }, { op: 'cgroup', pid: adopt?.pid ?? null }]
    : [
        { op: 'read', path: `${proc}/self/mountinfo` },
        { op: 'read', path: `${proc}/self/cgroup` },
      ];
  return findHierarchies(mountinfo?.text ?? '', cgroup?.text ?? '');
}

/**
 * Keeps a fork bomb from starving what runs beside it, above all the wrapper: a box with a process limit gets CPU time as a
 * single unit, however many processes it has. With this, 64 forking processes delay an answer by 10 ms instead of 200 ms.
 */
function weighedAsOne({ limits }: CgroupRequest): boolean {
  return limits.includes('pids') && !limits.includes('cpu-weight');
}

/** Weighs the box like one process per CPU. */
function* tryWeight(v2Group: V2Group | null, v1: V1Groups): Task<void> {
  const cpus = cpuCount(yield* allowedCpus(null));
  const weight = Math.min(10_000, 100 * Math.max(1, cpus));
  const cpuDir = v1.dir('cpu');
  try {
    if (v2Group?.controllers.has('cpu')) yield* setV2(v2Group.dir, 'cpu-weight', weight);
    else if (cpuDir !== undefined) yield* setV1(cpuDir, 'cpu-weight', weight);
  } catch {
    // The user did not ask for this weight, so its failure is not worth a message.
  }
}

function* makeOurV2(
  { v2: place, v1 }: Hierarchies,
  below: string | null,
  request: CgroupRequest,
): Task<V2Group | { why: string }> {
  if (place === null) return { why: 'cgroup2 is not mounted' };
  // If v1 has the freezer, the scheduler looks there and does not use v2.
  if (request.listed && !v1.has('freezer')) return { why: whyListed(place.dir) };
  const needed = [...new Set<V2Controller>(request.limits.map((limit) => LIMITS[limit].cgroup.v2[0]))];
  const { name, ourPids, beforeMaking = () => {}, adopt } = request;
  const optional: V2Controller[] = weighedAsOne(request) ? ['cpu'] : [];
  const at = below === null ? place : { dir: below, mount: place.mount };
  // Somebody has put a running process where it is, so it stays below.
  const stayBelow = request.stayBelow || below !== null || adopt !== undefined;
  const from = place.dir;
  return yield* makeV2({ place: at, from, name, needed, optional, stayBelow, ourPids, beforeMaking, adopt });
}

function whyListed(dir: string): string {
  return `Slurm looks for the processes of a task in ${dir} only, so none may be in a group below it; the kernel enforces Slurm's own --mem and --cpus-per-task (docs/slurm.md)`;
}

/** The v1 controllers that limits need and v2 lacks, and those of the figures (memory, processes, I/O) if these are read. */
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
      // A scheduler looks for a job's processes in its own freezer group and not below it.
      const given = below.includes(v1.get('freezer')?.dir ?? '');
      if (!(listed || (scheduled && adopt !== undefined)) || given) wanted.add('freezer');
      wanted.add('cpuacct');
    }
  }
  return [...wanted].filter((controller) => v1.has(controller));
}
