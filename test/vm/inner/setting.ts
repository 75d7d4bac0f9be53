import { join } from 'node:path';

/** The ways in which a box is started inside the virtual machine; tests look from outside of the box, as root. */
export interface Setting {
  readonly name: string;
  /** Whether the user may make groups where the box starts. */
  readonly delegated: boolean;
  /** Controllers that the box can have. */
  readonly controllers: readonly string[];
  /** Program that becomes proc_box. `id` is unique. */
  through(id: string): readonly string[];
  /** Group that the process `pid`, started through it, was in first: as /proc/PID/cgroup names it. */
  group(id: string, pid: number): string;
}

export const CHECKOUT = process.env['PROC_BOX_CHECKOUT'] ?? '';
const AS_USER = '/run/proc_box-vm/as-user.sh';
const ALL = ['cpuset', 'cpu', 'io', 'memory', 'pids'];
const SCOPE = ['--scope', '-q', '-p', 'Delegate=yes'];

const ROOT: Setting = {
  name: 'root',
  delegated: true,
  controllers: ALL,
  through: (id) => ['sh', join(CHECKOUT, 'test/vm/inner/in-group.sh'), `/sys/fs/cgroup/vm/${id}`],
  group: (id) => `/vm/${id}`,
};

const USER: Setting = {
  name: 'ordinary user with a delegated subtree',
  delegated: true,
  controllers: ALL,
  through: () => [AS_USER],
  group: (_, pid) => `/vm/user-${pid}/command`,
};

const UNDELEGATED: Setting = {
  name: 'ordinary user without delegation',
  delegated: false,
  controllers: [],
  through: () => [AS_USER, '--undelegated'],
  group: (_, pid) => `/vm/user-${pid}`,
};

const SCOPE_OF_ROOT: Setting = {
  name: 'systemd-run --scope',
  delegated: true,
  controllers: ALL,
  through: (id) => ['systemd-run', ...SCOPE, `--unit=${id}`, '--'],
  group: (id) => `/system.slice/${id}.scope`,
};

/** systemd hands these controllers to users unless an administrator adds to them. */
const SCOPE_OF_USER: Setting = {
  name: 'systemd-run --user --scope',
  delegated: true,
  controllers: ['cpu', 'memory', 'pids'],
  through: (id) => [AS_USER, 'systemd-run', '--user', ...SCOPE, `--unit=${id}`, '--'],
  group: (id) => `/user.slice/user-7000.slice/user@7000.service/app.slice/${id}.scope`,
};

/** Those of this machine. */
export const SETTINGS: readonly Setting[] =
  process.env['PROC_BOX_VM'] === 'systemd' ? [SCOPE_OF_ROOT, SCOPE_OF_USER] : [ROOT, USER, UNDELEGATED];
