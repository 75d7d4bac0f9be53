/** Finds the control groups of a process from /proc/self/mountinfo and /proc/PID/cgroup (cgroups(7)). */

/** The controllers that limits and figures need, by their v1 names. */
export type Controller = 'memory' | 'cpu' | 'cpuacct' | 'cpuset' | 'pids' | 'blkio' | 'freezer';

export interface Hierarchies {
  /** Our group in the v2 hierarchy; null if it is not mounted. */
  readonly v2: Place | null;
  /** Our group in the hierarchy of each v1 controller that is mounted. */
  readonly v1: ReadonlyMap<Controller, Place>;
}

export interface Place {
  /** Our own group. */
  readonly dir: string;
  /** The topmost group that this process can see. */
  readonly mount: string;
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly v2: boolean;
  readonly controllers: readonly string[];
}

const CONTROLLERS: ReadonlySet<string> = new Set<Controller>([
  'memory',
  'cpu',
  'cpuacct',
  'cpuset',
  'pids',
  'blkio',
  'freezer',
]);

/** Matches no directory names, because schedulers change theirs. Leaves out what is not mounted or is outside the mount. */
export function findHierarchies(mountinfo: string, selfCgroup: string): Hierarchies {
  const mounts = parseMounts(mountinfo);
  let v2: Place | null = null;
  const v1 = new Map<Controller, Place>();
  for (const line of selfCgroup.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, names = '', path = ''] = match;
    if (names === '') {
      v2 = placeIn(
        mounts.filter((mount) => mount.v2),
        path,
      );
      continue;
    }
    for (const name of names.split(',')) {
      if (!CONTROLLERS.has(name)) continue;
      const place = placeIn(
        mounts.filter((mount) => !mount.v2 && mount.controllers.includes(name)),
        path,
      );
      if (place !== null) v1.set(name as Controller, place);
    }
  }
  return { v2, v1 };
}

/** Takes the first mount through which the group can be reached: a bind mount may show only a part of the tree. */
function placeIn(mounts: readonly Mount[], path: string): Place | null {
  for (const { root, point } of mounts) {
    const below =
      root === '/' ? path : path === root ? '/' : path.startsWith(`${root}/`) ? path.slice(root.length) : null;
    // `/..` is outside our cgroup namespace.
    if (below === null || below.startsWith('/..')) continue;
    return { dir: below === '/' ? point : point + below, mount: point };
  }
  return null;
}

/** `36 35 98:0 /root /point options optional... - fstype source super-options`; blanks are octal escapes. */
function parseMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountinfo.split('\n')) {
    const dash = line.indexOf(' - cgroup');
    if (dash < 0) continue;
    const [type, , options = ''] = line.slice(dash + 3).split(' ');
    const [, , , root = '', point = ''] = line.split(' ');
    mounts.push({
      root: unescapeOctal(root),
      point: unescapeOctal(point),
      v2: type === 'cgroup2',
      controllers: options.split(','),
    });
  }
  return mounts;
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
