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
  /** Steps that remove what was made, in order. */
  readonly cleanup: readonly CleanupStep[];
  /** Explains why the group lacks a controller. */
  why(controller: V2Controller): string;
  /** Tries to enable a controller on a running box. @returns why that failed, or null */
  add(controller: V2Controller): string | null;
}

export interface V2Request {
  readonly place: Place;
  /** Name of the box's directory. */
  readonly name: string;
  /** Controllers that limits need; enabled if that is allowed. */
  readonly needed: readonly V2Controller[];
  /** Controllers that are enabled only together with needed ones. */
  readonly optional: readonly V2Controller[];
  /** Make nothing above our own group, as inside a scheduler's job. */
  readonly stayBelow: boolean;
  /** Process ids of the wrapper and its keeper, the only processes that may be moved aside. */
  readonly ourPids: readonly number[];
  /** Called before anything is made, with the steps that remove it. */
  readonly beforeMaking: (steps: readonly CleanupStep[]) => void;
  /** Moves an adopted process into the group. */
  readonly adopt: { readonly join: (procsFile: string) => string | null } | undefined;
}

const DELEGATE =
  'start proc_box with `systemd-run --user --scope -p Delegate=yes`, or ask the administrator to delegate a group (docs/limits.md)';

/**
 * Makes the box's group below the nearest group that this user may write: our own or, outside a scheduler's job, one of its
 * ancestors.
 * @returns the group, or why it could not be made
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
      why: refusals[0] === undefined ? 'our own cgroup2 directory is not visible here' : `${refusals[0]}; ${DELEGATE}`,
    }
  );
}

/** Our own group first, then its ancestors, except the root of the hierarchy, which belongs to the system. */
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
  // A box that starts beside us may be enabling the same controllers. The kernel lists a controller a moment before it makes
  // the files, and a second write waits until they are there.
  if (request.needed.length > 0 && missing.length === 0 && parent === request.place.dir) {
    tryWrite(`${parent}/cgroup.subtree_control`, request.needed.map((controller) => `+${controller}`).join(' '));
  }
  // We change only our own group, because an ancestor has other children.
  if (wanted.length > 0 && parent === request.place.dir) {
    const text = wanted.map((controller) => `+${controller}`).join(' ');
    // The threaded controllers (cpu, pids) could be enabled despite processes, but then none could join the box's group.
    const populated = access(`${parent}/cgroup.type`) === null && words(`${parent}/cgroup.procs`).size > 0;
    const refused = populated
      ? makeRoom(request, parent, text, wanted, cleanup)
      : tryWrite(`${parent}/cgroup.subtree_control`, text);
    refusal = refused ?? '';
  }
  const controllers = new Set(words(`${dir}/cgroup.controllers`));
  const notOffered = (controller: V2Controller) =>
    `${dir}/cgroup.controllers has no ${controller}: the parent group does not delegate it; ` +
    `an administrator can enable it with systemd's Delegate=yes, or with: echo +${controller} > ${parent}/cgroup.subtree_control`;
  return {
    dir,
    controllers,
    add(controller) {
      if (parent !== request.place.dir) return `${parent} also has groups of others; give --${controller} at the start`;
      if (!words(`${parent}/cgroup.controllers`).has(controller)) return notOffered(controller);
      const failure = tryWrite(`${parent}/cgroup.subtree_control`, `+${controller}`);
      if (failure === null) controllers.add(controller);
      // The failure at the start says more.
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
 * The rule of "no internal processes": a group that delegates controllers may hold no process itself. If only our own
 * processes are in it, they move into a leaf beside the job's. @returns why that is impossible, or null
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
    return `${parent} holds other processes (${others.slice(0, 3).join(', ')}), so it cannot delegate controllers; start proc_box with \`systemd-run --user --scope -p Delegate=yes\` or with exec`;
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

/** Sets a limit and reads back the value in force. @throws EnvironmentError */
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

/** Reads the value in force; null if that cannot be read. */
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
