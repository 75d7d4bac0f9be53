import { SpecError } from '../errors.js';
import type { Task } from '../kernel/task.js';
import type { Controller, Hierarchies, Place } from './hierarchy.js';

/** Finds the place of a box that is not made below our own groups but below given ones: `--cgroup <path>`. */

export interface Below {
  /** The hierarchies, with the given directories in place of our own groups. */
  readonly found: Hierarchies;
  /** The given v2 directory; null if none was given. */
  readonly v2Below: string | null;
}

interface BelowRequest {
  readonly below: readonly string[];
  /** True inside a scheduler's job: the directories must be at or below its groups. */
  readonly scheduled: boolean;
}

/** Skips directories in which no box can be made. @throws SpecError if that was the only one */
export function* placeBelow(own: Hierarchies, { below, scheduled }: BelowRequest): Task<Below> {
  const v1 = new Map<Controller, Place>(own.v1);
  let v2Below: string | null = null;
  const found = below.length === 0 ? [] : yield below.map((dir) => ({ op: 'exists', path: `${dir}/cgroup.procs` }));
  for (const [index, dir] of below.entries()) {
    const refusal = whyNot(own, dir, scheduled, found[index]?.error === null);
    if (refusal !== null && below.length === 1) throw new SpecError(`--cgroup ${dir}: ${refusal}`);
    if (refusal !== null) continue;
    if (own.v2 !== null && isBelow(dir, own.v2.mount)) v2Below = dir;
    for (const [controller, place] of own.v1) {
      if (isBelow(dir, place.mount)) v1.set(controller, { dir, mount: place.mount });
    }
  }
  return { found: { v2: own.v2, v1 }, v2Below };
}

function whyNot(own: Hierarchies, dir: string, scheduled: boolean, isGroup: boolean): string | null {
  const places = [...(own.v2 === null ? [] : [own.v2]), ...own.v1.values()];
  const around = places.find(({ mount }) => isBelow(dir, mount));
  if (around === undefined || dir.split('/').includes('..') || !isGroup) {
    const [example] = places;
    if (example === undefined) return 'no control groups are mounted here; expected auto or off';
    return `not a cgroup directory; expected one below ${example.mount}, for example "${example.dir}"`;
  }
  if (scheduled && !isBelow(dir, around.dir))
    return `outside the scheduler's group; expected a directory at or below ${around.dir}`;
  return null;
}

export function isBelow(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
