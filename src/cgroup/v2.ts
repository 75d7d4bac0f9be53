import {
  makeDirectories,
  read,
  removeDirectories,
  type Task,
  tryWrite,
  tryWriteAll,
  writeAll,
} from '../kernel/task.js';
import type { CgroupRow } from '../options/table/limit.js';
import { type CgroupLimitName, LIMITS } from '../options/table/limits.js';
import { isBelow, parentOf } from './below.js';
import type { Place } from './hierarchy.js';
import { formatIoMax, parseIoMax } from './io.js';
import { clean } from './remove.js';
import type { Adoption, CgroupValue, CleanupStep, IoLimit } from './types.js';
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
  add(controller: V2Controller): Task<string | null>;
}

export interface V2Request {
  readonly place: Place;
  /** The group in which a process is before it moves into the box's: ours. */
  readonly from: string;
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
  readonly adopt: Pick<Adoption, 'join'> | undefined;
}

const DELEGATE =
  'start proc_box with `systemd-run --user --scope -p Delegate=yes`, or ask the administrator to delegate a group (docs/limits.md)';

/**
 * Makes the box's group below the nearest group that this user may write: our own or, outside a scheduler's job, one of its
 * ancestors.
 * @returns the group, or why it could not be made
 */
export function* makeV2(request: V2Request): Task<V2Group | { readonly why: string }> {
  const { place, name, needed, stayBelow } = request;
  const refusals: string[] = [];
  let fallback: Candidate | undefined;
  for (const parent of parents(place, stayBelow)) {
    const dir = `${parent}/${name}`;
    request.beforeMaking([{ op: 'rmdir', path: dir }]);
    const { refusal, seen, candidate } = yield* makeIn(request, parent, dir);
    if (refusal !== null) {
      refusals.push(refusal);
      continue;
    }
    const group = yield* enable(request, parent, dir, seen);
    if (needed.every((controller) => group.controllers.has(controller))) {
      if (fallback !== undefined) yield* removeDirectories([fallback.group.dir]);
      return yield* unlessStuck({ ...candidate, group });
    }
    if (fallback === undefined) fallback = { ...candidate, group };
    else yield* removeDirectories([dir]);
  }
  if (fallback !== undefined) return yield* unlessStuck(fallback);
  return {
    why: refusals[0] === undefined ? 'our own cgroup2 directory is not visible here' : `${refusals[0]}; ${DELEGATE}`,
  };
}

interface Candidate {
  readonly group: V2Group;
  /** Why no process can be moved there, or null. */
  readonly stuck: string | null;
}

/** What a new group shows, and what its parent offers. */
interface Seen {
  readonly enabled: ReadonlySet<string>;
  readonly offered: ReadonlySet<string>;
  readonly controllers: ReadonlySet<string>;
  readonly hasKill: boolean;
}

/** Makes a group and looks at it, in one round trip. @returns why it could not be made, if so */
function* makeIn(
  { from, adopt }: V2Request,
  parent: string,
  dir: string,
): Task<{ refusal: string | null; seen: Seen; candidate: Pick<Candidate, 'stuck'> }> {
  // A move needs write permission to the `cgroup.procs` of the nearest common ancestor (cgroup-v2.rst).
  const around = commonAncestor(from, dir);
  const [made, enabled, offered, listed, kill, movable] = yield [
    { op: 'mkdir', path: dir },
    { op: 'read', path: `${parent}/cgroup.subtree_control` },
    { op: 'read', path: `${parent}/cgroup.controllers` },
    { op: 'read', path: `${dir}/cgroup.controllers` },
    { op: 'exists', path: `${dir}/cgroup.kill` },
    { op: 'writable', path: `${around}/cgroup.procs` },
  ];
  const seen = {
    enabled: wordsOf(enabled?.text),
    offered: wordsOf(offered?.text),
    controllers: wordsOf(listed?.text),
    hasKill: kill?.error === null,
  };
  const stuck =
    movable?.error == null
      ? null
      : `write to ${around}/cgroup.procs: ${movable.error}, so no process can be moved from ${from} to ${dir}; ask the administrator to delegate ${around} (docs/limits.md)`;
  if (made?.error != null) return { refusal: `mkdir ${dir}: ${made.error}`, seen, candidate: { stuck } };
  const refusal = adopt === undefined ? null : yield* adopt.join(`${dir}/cgroup.procs`);
  if (refusal !== null) yield* removeDirectories([dir]);
  return { refusal, seen, candidate: { stuck } };
}

function commonAncestor(one: string, other: string): string {
  let around = one;
  while (!isBelow(other, around)) around = parentOf(around);
  return around;
}

function* unlessStuck({ group, stuck }: Candidate): Task<V2Group | { readonly why: string }> {
  if (stuck === null) return group;
  yield* clean(group.cleanup);
  return { why: stuck };
}

/** Our own group first, then its ancestors, except the root of the hierarchy, which belongs to the system. */
function* parents({ dir, mount }: Place, stayBelow: boolean): Generator<string> {
  yield dir;
  if (stayBelow) return;
  for (let at = dir.slice(0, dir.lastIndexOf('/')); at.length > mount.length; at = at.slice(0, at.lastIndexOf('/')))
    yield at;
}

function* enable(request: V2Request, parent: string, dir: string, seen: Seen): Task<V2Group> {
  const cleanup: CleanupStep[] = [{ op: 'rmdir', path: dir }];
  const { needed, optional } = request;
  let refusal = '';
  let { controllers: listed } = seen;
  // We change only our own group, because an ancestor has other children.
  if (needed.length > 0 && parent === request.place.dir) {
    const missing = missingOf(needed, seen);
    // A box that starts beside us may be enabling the same controllers. The kernel lists a controller a moment before it makes
    // the files, and a second write waits until they are there.
    if (missing.length === 0) {
      yield* tryWrite(`${parent}/cgroup.subtree_control`, needed.map((controller) => `+${controller}`).join(' '));
    } else {
      refusal = (yield* delegate(request, parent, [...missing, ...missingOf(optional, seen)], cleanup)) ?? '';
    }
    listed = wordsOf(yield* read(`${dir}/cgroup.controllers`));
  }
  const controllers = new Set(listed);
  const notOffered = (controller: V2Controller) =>
    `${dir}/cgroup.controllers has no ${controller}: the parent group does not delegate it; ` +
    `an administrator can enable it with systemd's Delegate=yes, or with: echo +${controller} > ${parent}/cgroup.subtree_control`;
  return {
    dir,
    controllers,
    *add(controller) {
      if (parent !== request.place.dir) return `${parent} also has groups of others; give --${controller} at the start`;
      if (!wordsOf(yield* read(`${parent}/cgroup.controllers`)).has(controller)) return notOffered(controller);
      const failure = yield* tryWrite(`${parent}/cgroup.subtree_control`, `+${controller}`);
      if (failure === null) controllers.add(controller);
      // The failure at the start says more.
      return failure === null ? null : refusal || failure;
    },
    killFile: seen.hasKill ? `${dir}/cgroup.kill` : null,
    cleanup,
    why: (controller) => (refusal !== '' ? refusal : notOffered(controller)),
  };
}

function missingOf(
  needed: readonly V2Controller[],
  { enabled, offered }: Pick<Seen, 'enabled' | 'offered'>,
): V2Controller[] {
  return needed.filter((controller) => !enabled.has(controller) && offered.has(controller));
}

/** Enables controllers for the groups below `parent`. @returns why that is impossible, or null */
function* delegate(
  request: V2Request,
  parent: string,
  wanted: readonly string[],
  cleanup: CleanupStep[],
): Task<string | null> {
  const text = wanted.map((controller) => `+${controller}`).join(' ');
  const [type, procs] = yield [
    { op: 'exists', path: `${parent}/cgroup.type` },
    { op: 'read', path: `${parent}/cgroup.procs` },
  ];
  const there = [...wordsOf(procs?.text)].map(Number);
  // The threaded controllers (cpu, pids) could be enabled despite processes, but then none could join the box's group.
  return type?.error === null && there.length > 0
    ? yield* makeRoom(request, parent, there, text, wanted, cleanup)
    : yield* tryWrite(`${parent}/cgroup.subtree_control`, text);
}

/**
 * The rule of "no internal processes": a group that delegates controllers may hold no process itself. If only our own
 * processes are in it, they move into a leaf beside the job's. @returns why that is impossible, or null
 */
function* makeRoom(
  request: V2Request,
  parent: string,
  there: readonly number[],
  text: string,
  wanted: readonly string[],
  cleanup: CleanupStep[],
): Task<string | null> {
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
  const [code = null] = yield* makeDirectories([leaf]);
  if (code !== null) return `mkdir ${leaf}: ${code}`;
  let failure = yield* tryWriteAll(ours.map((pid) => [`${leaf}/cgroup.procs`, String(pid)]));
  failure ??= yield* tryWrite(`${parent}/cgroup.subtree_control`, text);
  if (failure !== null) {
    yield* tryWriteAll(ours.map((pid) => [`${parent}/cgroup.procs`, String(pid)]));
    yield* removeDirectories([leaf]);
    return failure;
  }
  cleanup.push(...undo);
  return null;
}

function wordsOf(text: string | null | undefined): ReadonlySet<string> {
  return new Set((text ?? '').split(/\s+/).filter((word) => word !== ''));
}

const PERIOD_USEC = 100_000;

function parseCpuMax(text: string | null): number | 'unlimited' {
  const [quota = 'max', period = String(PERIOD_USEC)] = (text ?? 'max').split(' ');
  return quota === 'max' ? 'unlimited' : Number(quota) / Number(period);
}

/** Sets a limit and reads back the value in force. @throws EnvironmentError */
export function* setV2(dir: string, name: CgroupLimitName, value: CgroupValue): Task<CgroupValue> {
  yield* writeAll(textsOf(name, value).map((text) => [`${dir}/${fileOf(name)}`, text]));
  return (yield* readV2(dir, name)) ?? value;
}

function textsOf(name: CgroupLimitName, value: CgroupValue): string[] {
  switch (name) {
    case 'cpus': {
      const quota = value === 'unlimited' ? 'max' : String(Math.round(Number(value) * PERIOD_USEC));
      return [`${quota} ${PERIOD_USEC}`];
    }
    case 'io-max':
      return (value as readonly IoLimit[]).map(formatIoMax);
    default:
      return [value === 'unlimited' ? 'max' : String(value)];
  }
}

/** Reads the value in force; null if that cannot be read. */
export function* readV2(dir: string, name: CgroupLimitName): Task<CgroupValue | null> {
  const path = `${dir}/${fileOf(name)}`;
  const text = yield* read(name === 'cpuset' ? `${path}.effective` : path);
  switch (name) {
    case 'cpus':
      return parseCpuMax(text);
    case 'cpuset':
      return text;
    case 'io-max':
      return parseIoMax(text ?? '');
    default:
      return text === 'max' ? 'unlimited' : parseNumber(text);
  }
}

function fileOf(name: CgroupLimitName): string {
  return LIMITS[name].cgroup.v2[1];
}
