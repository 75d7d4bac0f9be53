import { EnvironmentError } from '../errors.js';
import { processesIn, type Task, together } from '../kernel/task.js';
import { filesReadBy, type Reader, readerOf } from '../kernel/texts.js';
import type { CgroupRow } from '../options/table/limit.js';
import { type CgroupLimitName, LIMITS } from '../options/table/limits.js';
import { parentOf } from './below.js';
import type { Controller, Hierarchies } from './hierarchy.js';
import type { BoxCgroup, CgroupValue, CleanupStep, Mechanism } from './types.js';
import { type CgroupUsage, pidsUsage } from './usage.js';
import { notInV1, readV1, setV1, type V1Groups } from './v1.js';
import { v1Cpu, v1Io, v1Memory, v1Throttling } from './v1-usage.js';
import { readV2, setV2, type V2Group } from './v2.js';
import { v2Usage } from './v2-usage.js';

/** Combines the v1 and v2 groups of a box: each limit and figure comes from the version that has its controller. */
export function compose(found: Hierarchies, v2: V2Group | { why: string }, v1: V1Groups): BoxCgroup {
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
  const freezerDir = v1.dir('freezer');
  let files: readonly string[] | undefined;
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
    *ceiling(name) {
      const by = serving(name);
      const { ceiling, v1: inV1 }: CgroupRow = LIMITS[name].cgroup;
      if (ceiling !== true) return NO_CEILING;
      if ('dir' in by && by.mechanism === 'cgroup2')
        return yield* tightest(parentOf(by.dir), found.v2?.mount, (dir) => readV2(dir, name));
      // The box's own directory may not exist yet, because it is made only when the limit is set.
      const place = found.v1.get(inV1[0]);
      return yield* tightest(place?.dir ?? '', place?.mount, (dir) => readV1(dir, name));
    },
    *set(name, value) {
      let by = serving(name);
      if ('why' in by) {
        const failure = yield* addController(name, found, v2Group, v1);
        files = undefined;
        if (failure !== null) throw new EnvironmentError(failure === NO_GROUP ? by.why : failure);
        by = serving(name);
      }
      if ('why' in by) throw new EnvironmentError(by.why);
      return yield* by.mechanism === 'cgroup2' ? setV2(by.dir, name, value) : setV1(by.dir, name, value);
    },
    *inForce(name) {
      const by = serving(name);
      if ('why' in by) return null;
      return yield* by.mechanism === 'cgroup2' ? readV2(by.dir, name) : readV1(by.dir, name);
    },
    usageFiles() {
      files ??= filesReadBy((read) => usageOf(v2Group, v1, read));
      return files;
    },
    usage: (texts) => usageOf(v2Group, v1, readerOf(texts)),
    chargedFile(name) {
      const by = serving(name);
      if ('why' in by) return null;
      const { used } = LIMITS[name].cgroup;
      return `${by.dir}/${by.mechanism === 'cgroup2' ? used.v2 : used.v1}`;
    },
  };
}

const NO_GROUP = 'the box has no control group';

/** Adds a controller to a running box. The processes to move are those of the group that it already has. */
function* addController(
  name: CgroupLimitName,
  found: Hierarchies,
  v2Group: V2Group | null,
  v1: V1Groups,
): Task<string | null> {
  const [v1Name, v1File] = (LIMITS[name].cgroup as CgroupRow).v1;
  if (found.v1.has(v1Name)) {
    const list = v2Group?.dir ?? v1.dirs[0];
    // A controller is in one hierarchy only: if v1 has the memory controller, v2 has no memory.high.
    if (list === undefined || v1File === null) return NO_GROUP;
    return yield* v1.add(v1Name, () => processesIn(`${list}/cgroup.procs`));
  }
  return v2Group === null ? NO_GROUP : yield* v2Group.add(LIMITS[name].cgroup.v2[0]);
}

type Ceiling = ReturnType<BoxCgroup['ceiling']> extends Task<infer Found> ? Found : never;
const NO_CEILING: Ceiling = { value: 'unlimited', path: '' };

/** Finds the tightest limit from the group around the box up to the topmost group that we can see. */
function* tightest(
  dir: string,
  mount: string | undefined,
  read: (dir: string) => Task<CgroupValue | null>,
): Task<Ceiling> {
  const around: string[] = [];
  for (let at = dir; mount !== undefined && at.length >= mount.length; at = parentOf(at)) around.push(at);
  const values = around.length === 0 ? [] : yield* together(around.map(read));
  let best = NO_CEILING;
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'number') continue;
    if (best.value === 'unlimited' || value < best.value) best = { value, path: around[index]! };
  }
  return best;
}

/** Takes each figure from v2 if it is there, otherwise from the v1 controller that counts it. */
function usageOf(v2Group: V2Group | null, v1: V1Groups, read: Reader): CgroupUsage | null {
  if (v2Group === null && v1.dirs.length === 0) return null;
  const own = v2Group === null ? null : v2Usage(v2Group, read);
  const from = <T>(controller: Controller, figures: (dir: string, read: Reader) => T | null): T | null => {
    const dir = v1.dir(controller);
    return dir === undefined ? null : figures(dir, read);
  };
  const cpuDir = v1.dir('cpu');
  const cpu = own?.cpu ?? from('cpuacct', (dir) => v1Cpu(dir, cpuDir, read));
  // On hybrid hosts, v2 counts the CPU time but v1 throttles.
  const throttling = cpuDir === undefined ? {} : v1Throttling(cpuDir, read);
  return {
    memory: own?.memory ?? from('memory', v1Memory),
    cpu: cpu === null ? null : { ...cpu, ...throttling },
    io: own?.io ?? from('blkio', v1Io),
    pids: own?.pids ?? from('pids', pidsUsage),
  };
}
