import t from 'tap';
import { findHierarchies } from '../../src/cgroup/hierarchy.js';

/** What proc_pid_mountinfo(5) and cgroups(7) show on the machines of this world. */

const mount = (root: string, point: string, type: 'cgroup' | 'cgroup2', options: string) =>
  `31 23 0:28 ${root} ${point} rw,nosuid,relatime shared:9 - ${type} ${type} ${options}`;
const OTHERS = [
  '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
  '23 22 0:21 / /proc rw,nosuid - proc proc rw',
  '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
];
const PURE_V2 = [...OTHERS, mount('/', '/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate,memory_recursiveprot')].join('\n');
const HYBRID = [
  ...OTHERS,
  mount('/', '/sys/fs/cgroup/memory', 'cgroup', 'rw,memory'),
  mount('/', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
  mount('/', '/sys/fs/cgroup/pids', 'cgroup', 'rw,pids'),
  mount('/', '/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,name=systemd'),
  mount('/', '/sys/fs/cgroup/unified', 'cgroup2', 'rw'),
].join('\n');

interface Case {
  readonly mountinfo: string;
  readonly cgroup: string;
  readonly v2: [dir: string, mount: string] | null;
  readonly v1?: Record<string, [dir: string, mount: string]>;
}

const CASES: Record<string, Case> = {
  'pure v2, a systemd scope': {
    mountinfo: PURE_V2,
    cgroup: '0::/user.slice/user-1000.slice/session-2.scope\n',
    v2: ['/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope', '/sys/fs/cgroup'],
  },
  'pure v2, the root': { mountinfo: PURE_V2, cgroup: '0::/\n', v2: ['/sys/fs/cgroup', '/sys/fs/cgroup'] },
  'hybrid: each controller in its own place, cpu and cpuacct together': {
    mountinfo: HYBRID,
    cgroup:
      '5:memory:/slurm/uid_0/job_7\n4:cpu,cpuacct:/slurm\n3:pids:/\n1:name=systemd:/system.slice/slurmd.service\n0::/system.slice\n',
    v2: ['/sys/fs/cgroup/unified/system.slice', '/sys/fs/cgroup/unified'],
    v1: {
      memory: ['/sys/fs/cgroup/memory/slurm/uid_0/job_7', '/sys/fs/cgroup/memory'],
      cpu: ['/sys/fs/cgroup/cpu,cpuacct/slurm', '/sys/fs/cgroup/cpu,cpuacct'],
      cpuacct: ['/sys/fs/cgroup/cpu,cpuacct/slurm', '/sys/fs/cgroup/cpu,cpuacct'],
      pids: ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/pids'],
    },
  },
  'pure v1': {
    mountinfo: [...OTHERS, mount('/', '/cgroup/mem', 'cgroup', 'rw,memory')].join('\n'),
    cgroup: '2:memory:/a/b\n',
    v2: null,
    v1: { memory: ['/cgroup/mem/a/b', '/cgroup/mem'] },
  },
  'a controller that is on but mounted nowhere': {
    mountinfo: PURE_V2,
    cgroup: '4:memory:/a\n0::/a\n',
    v2: ['/sys/fs/cgroup/a', '/sys/fs/cgroup'],
  },
  'controllers without limits of ours are left out': {
    mountinfo: [...OTHERS, mount('/', '/sys/fs/cgroup/devices', 'cgroup', 'rw,devices')].join('\n'),
    cgroup: '4:devices:/a\n3:net_cls,net_prio:/\n',
    v2: null,
  },
  'a cgroup namespace: the mount begins where we are': {
    mountinfo: [...OTHERS, mount('/', '/sys/fs/cgroup', 'cgroup2', 'rw')].join('\n'),
    cgroup: '0::/\n',
    v2: ['/sys/fs/cgroup', '/sys/fs/cgroup'],
  },
  'outside of our cgroup namespace: /.. is nowhere': {
    mountinfo: [...OTHERS, mount('/', '/sys/fs/cgroup', 'cgroup2', 'rw')].join('\n'),
    cgroup: '0::/../other.slice\n',
    v2: null,
  },
  'a mount made outside of our namespace: its root is above us': {
    mountinfo: [...OTHERS, mount('/../..', '/sys/fs/cgroup', 'cgroup2', 'rw')].join('\n'),
    cgroup: '0::/\n',
    v2: null,
  },
  'a container without a cgroup namespace: a bind mount of its own part': {
    mountinfo: [...OTHERS, mount('/docker/4f2a', '/sys/fs/cgroup', 'cgroup2', 'ro')].join('\n'),
    cgroup: '0::/docker/4f2a/job\n',
    v2: ['/sys/fs/cgroup/job', '/sys/fs/cgroup'],
  },
  'a bind mount that is exactly our group': {
    mountinfo: [...OTHERS, mount('/docker/4f2a', '/sys/fs/cgroup', 'cgroup2', 'ro')].join('\n'),
    cgroup: '0::/docker/4f2a\n',
    v2: ['/sys/fs/cgroup', '/sys/fs/cgroup'],
  },
  'a bind mount of another part is of no use, and its name is no prefix': {
    mountinfo: [
      ...OTHERS,
      mount('/docker/4f', '/mnt', 'cgroup2', 'rw'),
      mount('/', '/sys/fs/cgroup', 'cgroup2', 'rw'),
    ].join('\n'),
    cgroup: '0::/docker/4f2a\n',
    v2: ['/sys/fs/cgroup/docker/4f2a', '/sys/fs/cgroup'],
  },
  'octal escapes of blanks, tabs and backslashes': {
    mountinfo: [...OTHERS, mount('/', '/mnt/a\\040b\\011c\\134d', 'cgroup2', 'rw')].join('\n'),
    cgroup: '0::/x y\n',
    v2: ['/mnt/a b\tc\\d/x y', '/mnt/a b\tc\\d'],
  },
  'a path with colons': {
    mountinfo: PURE_V2,
    cgroup: '0::/system.slice/foo:bar.service\n',
    v2: ['/sys/fs/cgroup/system.slice/foo:bar.service', '/sys/fs/cgroup'],
  },
  'no optional fields, and many': {
    mountinfo: [
      '40 31 0:37 / /a rw - cgroup cgroup rw,memory',
      '41 31 0:38 / /b rw shared:1 master:2 propagate_from:3 unbindable - cgroup2 cgroup2 rw',
    ].join('\n'),
    cgroup: '3:memory:/m\n0::/u\n',
    v2: ['/b/u', '/b'],
    v1: { memory: ['/a/m', '/a'] },
  },
  'nothing at all': { mountinfo: '', cgroup: '', v2: null },
  'what is no line of these files': { mountinfo: '\n - cgroup\nx', cgroup: 'memory\n\n::', v2: null },
};

for (const [name, { mountinfo, cgroup, v2, v1 = {} }] of Object.entries(CASES)) {
  t.test(name, async (t) => {
    const found = findHierarchies(mountinfo, cgroup);
    const place = (pair: [string, string] | null) => (pair === null ? null : { dir: pair[0], mount: pair[1] });
    t.strictSame(found.v2, place(v2));
    t.strictSame(
      Object.fromEntries(found.v1),
      Object.fromEntries(Object.entries(v1).map(([key, pair]) => [key, place(pair)])),
    );
  });
}
