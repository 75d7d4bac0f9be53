import { access, makeDirectory } from 'cgroup-utils-native';
import { readFile, removeDir, tryWrite, writeFile } from '../kernel/files.js';
import type { CgroupRow } from '../options/table/limit.js';
import { type CgroupLimitName, LIMITS } from '../options/table/limits.js';
import type { Place } from './hierarchy.js';
import { formatIoMax, parseIoMax } from './io.js';
import type { CgroupValue, CleanupStep, IoLimit } from './types.js';
import { parseNumber } from './usage.js';

export type V2Controller = CgroupRow['v2'][0];

/** The box's directory in the v2 hierarchy. */
export interface V2Group {
  readonly dir: string;
  readonly controllers: ReadonlySet<string>;
  readonly killFile: string | null;
  /** Takes away what was made, in order. */
  readonly cleanup: readonly CleanupStep[];
  /** Why a controller is not there. */
  why(controller: V2Controller): string;
  /** Tries to have it on a running box. @returns why not, or null */
  add(controller: V2Controller): string | null;
}

export interface V2Request {
  readonly place: Place;
  /** Name of the box's directory. */
  readonly name: string;
  /** Controllers that limits ask for; enabled where that is allowed. */
  readonly needed: readonly V2Controller[];
  /** Controllers that are enabled where needed ones have to be enabled as well. */
  readonly optional: readonly V2Controller[];
  /** Inside a scheduler's job: never above our own group. */
  readonly stayBelow: boolean;
  /** The wrapper and its keeper: the only processes that may be moved aside. */
  readonly ourPids: readonly number[];
  /** Told before something is made how to take it away. */
  readonly beforeMaking: (steps: readonly CleanupStep[]) => void;
  /** For a process that runs already: moves it into the group. */
  readonly adopt: { readonly join: (procsFile: string) => string | null } | undefined;
}

const DELEGATE =
  'start it by `systemd-run --user --scope -p Delegate=yes`, or ask the administrator to delegate a group (docs/limits.md)';

/**
 * Makes the box's group below the nearest group that this user may write: our own, or, outside of a scheduler's job, one
 * of its ancestors.
 * @returns the group, or why there is none
 */
export function makeV2(request: V2Request): V2Group | { readonly why: string } {
  const { place, name, needed, stayBelow } = request;
  const refusals: string[] = [];
  let fallback: V2Group | undefined;
  for (const parent of parents(place, stayBelow)) {
    const dir = `${parent}/${name}`;
    request.beforeMaking([{ op: 'rmdir', path: dir }]);
    const code = makeDirectory(dir);
    if (code !== null) {
      refusals.push(`mkdir ${dir}: ${code}`);
      continue;
    }
    const refusal = request.adopt?.join(`${dir}/cgroup.procs`) ?? null;
    if (refusal !== null) {
      removeDir(dir);
      refusals.push(refusal);
      continue;
    }
    const group = enable(request, parent, dir);
    if (needed.every((controller) => group.controllers.has(controller))) {
      if (fallback !== undefined) removeDir(fallback.dir);
      return group;
    }
    if (fallback === undefined) fallback = group;
    else removeDir(dir);
  }
  return (
    fallback ?? {
      why: refusals[0] === undefined ? 'no cgroup2 directory of ours is visible' : `${refusals[0]}; ${DELEGATE}`,
    }
  );
}

/** Our own group first; then upwards, but not the root of the hierarchy, which belongs to the system. */
function* parents({ dir, mount }: Place, stayBelow: boolean): Generator<string> {
  yield dir;
  if (stayBelow) return;
  for (let at = dir.slice(0, dir.lastIndexOf('/')); at.length > mount.length; at = at.slice(0, at.lastIndexOf('/')))
    yield at;
}

function enable(request: V2Request, parent: string, dir: string): V2Group {
  const cleanup: CleanupStep[] = [{ op: 'rmdir', path: dir }];
  let refusal = '';
  const missing = request.needed.length === 0 ? [] : offeredAndMissing(request.needed, parent);
  const wanted = missing.length === 0 ? [] : [...missing, ...offeredAndMissing(request.optional, parent)];
  // A box that starts beside us may be enabling them: the kernel makes the files a moment after it lists the controller,
  // and a second writer waits for that.
  if (request.needed.length > 0 && missing.length === 0 && parent === request.place.dir) {
    tryWrite(`${parent}/cgroup.subtree_control`, request.needed.map((controller) => `+${controller}`).join(' '));
  }
  // Only our own group may be changed: an ancestor has other children.
  if (wanted.length > 0 && parent === request.place.dir) {
    const text = wanted.map((controller) => `+${controller}`).join(' ');
    // Threaded controllers (cpu, pids) could be switched on beside processes, but nothing could join the box's group then.
    const populated = access(`${parent}/cgroup.type`) === null && words(`${parent}/cgroup.procs`).size > 0;
    const refused = populated
      ? makeRoom(request, parent, text, wanted, cleanup)
      : tryWrite(`${parent}/cgroup.subtree_control`, text);
    refusal = refused ?? '';
  }
  const controllers = new Set(words(`${dir}/cgroup.controllers`));
  const notOffered = (controller: V2Controller) =>
    `${dir}/cgroup.controllers has no ${controller}: the group above us does not hand it down; ` +
    `an administrator enables it with systemd's Delegate=yes, or: echo +${controller} > ${parent}/cgroup.subtree_control`;
  return {
    dir,
    controllers,
    add(controller) {
      if (parent !== request.place.dir) return `${parent} is not ours alone; give --${controller} at the start`;
      if (!words(`${parent}/cgroup.controllers`).has(controller)) return notOffered(controller);
      const failure = tryWrite(`${parent}/cgroup.subtree_control`, `+${controller}`);
      if (failure === null) controllers.add(controller);
      // What kept it away at the start says more.
      return failure === null ? null : refusal || failure;
    },
    killFile: access(`${dir}/cgroup.kill`) === null ? `${dir}/cgroup.kill` : null,
    cleanup,
    why: (controller) => (refusal !== '' ? refusal : notOffered(controller)),
  };
}

function offeredAndMissing(needed: readonly V2Controller[], parent: string): V2Controller[] {
  const enabled = words(`${parent}/cgroup.subtree_control`);
  const offered = words(`${parent}/cgroup.controllers`);
  return needed.filter((controller) => !enabled.has(controller) && offered.has(controller));
}

/**
 * "No internal processes": a group with controllers for its children may hold no process itself. Where only we are in
 * it, we move into a leaf beside the job's. @returns why it cannot be done, or null
 */
function makeRoom(
  request: V2Request,
  parent: string,
  text: string,
  wanted: readonly string[],
  cleanup: CleanupStep[],
): string | null {
  const there = [...words(`${parent}/cgroup.procs`)].map(Number);
  const others = there.filter((pid) => !request.ourPids.includes(pid));
  const ours = there.filter((pid) => request.ourPids.includes(pid));
  if (others.length > 0) {
    return `${parent} holds other processes (${others.slice(0, 3).join(', ')}), so it cannot hand down controllers; start proc_box by \`systemd-run --user --scope -p Delegate=yes\` or by exec`;
  }
  const leaf = `${parent}/${request.name}.wrapper`;
  const disable = wanted.map((controller) => `-${controller}`).join(' ');
  const undo: CleanupStep[] = [
    { op: 'write', path: `${parent}/cgroup.subtree_control`, text: disable },
    ...ours.map((pid) => ({ op: 'write', path: `${parent}/cgroup.procs`, text: String(pid) }) as const),
    { op: 'rmdir', path: leaf },
  ];
  request.beforeMaking(undo);
  const code = makeDirectory(leaf);
  if (code !== null) return `mkdir ${leaf}: ${code}`;
  let failure: string | null = null;
  for (const pid of ours) failure ??= tryWrite(`${leaf}/cgroup.procs`, String(pid));
  failure ??= tryWrite(`${parent}/cgroup.subtree_control`, text);
  if (failure !== null) {
    for (const pid of ours) tryWrite(`${parent}/cgroup.procs`, String(pid));
    removeDir(leaf);
    return failure;
  }
  cleanup.push(...undo);
  return null;
}

function words(path: string): ReadonlySet<string> {
  return new Set((readFile(path) ?? '').split(/\s+/).filter((word) => word !== ''));
}

const PERIOD_USEC = 100_000;

function readCpuMax(path: string): number | 'unlimited' {
  const [quota = 'max', period = String(PERIOD_USEC)] = (readFile(path) ?? 'max').split(' ');
  return quota === 'max' ? 'unlimited' : Number(quota) / Number(period);
}

/** Sets a limit and reads back what is in force. @throws EnvironmentError */
export function setV2(dir: string, name: CgroupLimitName, value: CgroupValue): CgroupValue {
  const path = `${dir}/${fileOf(name)}`;
  switch (name) {
    case 'cpus': {
      const quota = value === 'unlimited' ? 'max' : String(Math.round(Number(value) * PERIOD_USEC));
      writeFile(path, `${quota} ${PERIOD_USEC}`);
      break;
    }
    case 'io-max':
      for (const limit of value as readonly IoLimit[]) writeFile(path, formatIoMax(limit));
      break;
    default:
      writeFile(path, value === 'unlimited' ? 'max' : String(value));
  }
  return readV2(dir, name) ?? value;
}

/** What is in force; null where that cannot be read. */
export function readV2(dir: string, name: CgroupLimitName): CgroupValue | null {
  const path = `${dir}/${fileOf(name)}`;
  switch (name) {
    case 'cpus':
      return readCpuMax(path);
    case 'cpuset':
      return readFile(`${path}.effective`);
    case 'io-max':
      return parseIoMax(readFile(path) ?? '');
    default: {
      const text = readFile(path);
      return text === 'max' ? 'unlimited' : parseNumber(text);
    }
  }
}

function fileOf(name: CgroupLimitName): string {
  return LIMITS[name].cgroup.v2[1];
}
