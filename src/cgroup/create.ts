import { access, allowedCpuCount, killGroup, processDirectory } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import { createReader, type Reader, readFile, removeTree, tryWrite } from '../kernel/files.js';
import { listProcesses } from '../kernel/procs.js';
import type { CgroupRow } from '../options/table/limit.js';
import { type CgroupLimitName, LIMITS } from '../options/table/limits.js';
import { isBelow, parentOf, placeBelow } from './below.js';
import { type Controller, findHierarchies, type Hierarchies } from './hierarchy.js';
import type { BoxCgroup, CgroupValue, CleanupStep, Mechanism } from './types.js';
import { type CgroupUsage, pidsUsage, readNumber } from './usage.js';
import { makeV1, notInV1, readV1, setV1, type V1Groups } from './v1.js';
import { v1Cpu, v1Io, v1Memory, v1Throttling } from './v1-usage.js';
import { makeV2, readV2, setV2, type V2Controller, type V2Group } from './v2.js';
import { v2Usage } from './v2-usage.js';

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

/** Of a process that runs already. */
export interface Adoption {
  readonly pid: number;
  /** Moves it and all of its processes into a group, by its `cgroup.procs`. @returns why not, or null */
  readonly join: (procsFile: string) => string | null;
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

function compose(found: Hierarchies, v2: V2Group | { why: string }, v1: V1Groups): BoxCgroup {
  const v2Group = 'dir' in v2 ? v2 : null;
  const serving = (name: CgroupLimitName): { mechanism: Mechanism; dir: string } | { why: string } => {
    const [v1Name, v1File] = (LIMITS[name].cgroup as CgroupRow).v1;
    const [v2Name] = LIMITS[name].cgroup.v2;
    if (v2Group?.controllers.has(v2Name)) return { mechanism: 'cgroup2', dir: v2Group.dir };
    const dir = v1File === null ? undefined : v1.dir(v1Name);
    if (dir !== undefined) return { mechanism: 'cgroup1', dir };
    if (found.v1.has(v1Name)) return { why: v1File === null ? notInV1(name) : v1.why(v1Name) };
    return { why: 'dir' in v2 ? v2.why(v2Name) : v2.why };
  };
  const read = createReader();
  const freezerDir = v1.dir('freezer');
  const cleanup: CleanupStep[] = v1.possible.map((path) => ({ op: 'rmdir', path }));
  return {
    forkInto: v2Group?.dir ?? null,
    tasks: v1.dirs.map((dir) => `${dir}/tasks`),
    freezer:
      v2Group !== null
        ? { version: 2, dir: v2Group.dir }
        : freezerDir === undefined
          ? null
          : { version: 1, dir: freezerDir },
    killFile: v2Group?.killFile ?? null,
    cleanup: [...cleanup, ...(v2Group?.cleanup ?? [])],
    get dirs() {
      return [...v1.dirs, ...(v2Group === null ? [] : [v2Group.dir])];
    },
    pressureDir: v2Group?.dir ?? null,
    procsFile:
      v2Group !== null ? `${v2Group.dir}/cgroup.procs` : v1.dirs.length > 0 ? `${v1.dirs[0]}/cgroup.procs` : null,
    holds: (name) => {
      const by = serving(name);
      return 'mechanism' in by ? { mechanism: by.mechanism } : by;
    },
    ceiling(name) {
      const by = serving(name);
      const { ceiling, v1: inV1 }: CgroupRow = LIMITS[name].cgroup;
      if (ceiling !== true) return NO_CEILING;
      if ('dir' in by && by.mechanism === 'cgroup2')
        return tightest(parentOf(by.dir), found.v2?.mount, (dir) => readV2(dir, name));
      // Also for a directory that is made only when the limit is set.
      const place = found.v1.get(inV1[0]);
      return tightest(place?.dir ?? '', place?.mount, (dir) => readV1(dir, name));
    },
    set(name, value): CgroupValue {
      let by = serving(name);
      if ('why' in by) {
        const failure = addController(name, found, v2Group, v1);
        if (failure !== null) throw new EnvironmentError(failure === NO_GROUP ? by.why : failure);
        by = serving(name);
      }
      if ('why' in by) throw new EnvironmentError(by.why);
      return by.mechanism === 'cgroup2' ? setV2(by.dir, name, value) : setV1(by.dir, name, value);
    },
    inForce(name) {
      const by = serving(name);
      if ('why' in by) return null;
      return by.mechanism === 'cgroup2' ? readV2(by.dir, name) : readV1(by.dir, name);
    },
    usage: () => usageOf(v2Group, v1, read),
    charged(name) {
      const by = serving(name);
      if ('why' in by) return null;
      const { used } = LIMITS[name].cgroup;
      return readNumber(`${by.dir}/${by.mechanism === 'cgroup2' ? used.v2 : used.v1}`);
    },
    close: () => read.close(),
  };
}

const NO_GROUP = 'the box has no control group';

/** For a running box: the processes are those of the group that it has. */
function addController(
  name: CgroupLimitName,
  found: Hierarchies,
  v2Group: V2Group | null,
  v1: V1Groups,
): string | null {
  const [v1Name, v1File] = (LIMITS[name].cgroup as CgroupRow).v1;
  if (found.v1.has(v1Name)) {
    const list = v2Group?.dir ?? v1.dirs[0];
    // A controller is in one hierarchy only: v2 has no memory.high where v1 has the controller memory.
    if (list === undefined || v1File === null) return NO_GROUP;
    return v1.add(v1Name, () => listProcesses(`${list}/cgroup.procs`) ?? []);
  }
  return v2Group === null ? NO_GROUP : v2Group.add(LIMITS[name].cgroup.v2[0]);
}

type Ceiling = ReturnType<BoxCgroup['ceiling']>;
const NO_CEILING: Ceiling = { value: 'unlimited', path: '' };

/** From the group around the box up to the topmost that we see. */
function tightest(dir: string, mount: string | undefined, read: (dir: string) => CgroupValue | null): Ceiling {
  let best = NO_CEILING;
  if (mount === undefined) return best;
  for (let at = dir; at.length >= mount.length; at = parentOf(at)) {
    const value = read(at);
    if (typeof value !== 'number') continue;
    if (best.value === 'unlimited' || value < best.value) best = { value, path: at };
  }
  return best;
}

/** Each figure from v2 where it has it, else from the v1 controller that counts it. */
function usageOf(v2Group: V2Group | null, v1: V1Groups, read: Reader): CgroupUsage | null {
  if (v2Group === null && v1.dirs.length === 0) return null;
  const own = v2Group === null ? null : v2Usage(v2Group, read);
  const from = <T>(controller: Controller, figures: (dir: string, read: Reader) => T | null): T | null => {
    const dir = v1.dir(controller);
    return dir === undefined ? null : figures(dir, read);
  };
  const cpuDir = v1.dir('cpu');
  const cpu = own?.cpu ?? from('cpuacct', (dir) => v1Cpu(dir, cpuDir, read));
  return {
    memory: own?.memory ?? from('memory', v1Memory),
    // On hybrid hosts v2 counts the time and v1 throttles.
    cpu: cpu === null || cpuDir === undefined ? cpu : { ...cpu, ...v1Throttling(cpuDir, read) },
    io: own?.io ?? from('blkio', v1Io),
    pids: own?.pids ?? from('pids', pidsUsage),
  };
}

/** Takes the processes of a box that is not to be out of its groups again, and the groups away. Best effort. */
export function releaseCgroup(cgroup: BoxCgroup, adopt: Adoption): void {
  clean(cgroup.cleanup.filter((step) => step.op === 'write'));
  for (const dir of cgroup.dirs) adopt.join(`${parentOf(dir)}/cgroup.procs`);
  removeCgroup(cgroup);
}

/**
 * SIGKILL to everything in the box's group where the kernel does that in one step; else it is the keeper's work.
 * @returns number of processes that were there
 */
export function killCgroup({ killFile }: BoxCgroup): number {
  return killFile === null ? 0 : killGroup(parentOf(killFile));
}

/** Runs the cleanup where no keeper does: after a launch that failed, or after the keeper has died. */
export function removeCgroup(cgroup: BoxCgroup): void {
  // What was frozen cannot die in v1.
  if (cgroup.freezer?.version === 1)
    clean([{ op: 'write', path: `${cgroup.freezer.dir}/freezer.state`, text: 'THAWED' }]);
  clean(cgroup.cleanup);
}

function clean(steps: readonly CleanupStep[]): void {
  for (const step of steps) {
    if (step.op === 'rmdir') removeTree(step.path);
    // The process may have gone meanwhile, or the group is no longer ours.
    else tryWrite(step.path, step.text);
  }
}
