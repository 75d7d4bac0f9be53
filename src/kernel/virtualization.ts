import { type Roots, readHead, readText } from './roots.js';

/** `kvm`, `vmware`, `docker`, ... and whether this system is the `guest` or the `host`; '' if unknown or not virtualized. */
export interface Virtualization {
  readonly virtualization_system: string;
  readonly virtualization_role: '' | 'guest' | 'host';
}

/**
 * Guesses from files that everybody may read, without running a program: first the marks of containers, then the machine's
 * firmware, then the CPU's hypervisor flag, then kernel modules that make this machine a host.
 */
export function virtualization(roots: Roots): Virtualization {
  const container = containerSystem(roots);
  if (container !== '') return guest(container);
  const xen = readText(`${roots.sys}/hypervisor/type`)?.trim();
  if (xen === 'xen') return { virtualization_system: 'xen', virtualization_role: isDom0(roots) ? 'host' : 'guest' };
  const firmware = firmwareSystem(roots);
  if (firmware !== undefined) return firmware === '' ? hostSystem(roots) : guest(firmware);
  // No DMI: a small virtual machine (Firecracker) or another architecture.
  return /^flags\s*:.*\bhypervisor\b/m.test(readHead(`${roots.proc}/cpuinfo`)) ? guest('') : hostSystem(roots);
}

function guest(system: string): Virtualization {
  return { virtualization_system: system, virtualization_role: 'guest' };
}

function isDom0(roots: Roots): boolean {
  return readText(`${roots.proc}/xen/capabilities`)?.includes('control_d') === true;
}

/** In a cgroup namespace the path says nothing, so this also looks for the marks that the engines leave. */
function containerSystem(roots: Roots): string {
  const cgroup = readText(`${roots.proc}/self/cgroup`) ?? '';
  const found = /\/(docker|libpod|lxc)(?:[-/][0-9a-f]{12}|[/.]payload|\/)/.exec(cgroup)?.[1];
  if (found !== undefined) return found === 'libpod' ? 'podman' : found;
  const manager = readText(`${roots.run}/systemd/container`)?.trim();
  if (manager) return manager;
  if (readText(`${roots.run}/.containerenv`) !== undefined) return 'podman';
  return readText(`${roots.etc}/../.dockerenv`) === undefined ? '' : 'docker';
}

/** Words in the DMI tables' vendor and product, and the system that they mean; the first match wins. */
const FIRMWARE: readonly (readonly [string, string])[] = [
  ['vmware', 'vmware'],
  ['innotek', 'vbox'],
  ['virtualbox', 'vbox'],
  ['xen', 'xen'],
  ['parallels', 'parallels'],
  ['virtual machine', 'hyperv'],
  ['bhyve', 'bhyve'],
  ['kvm', 'kvm'],
  ['qemu', 'kvm'],
  ['bochs', 'kvm'],
  ['openstack', 'kvm'],
  ['google compute engine', 'kvm'],
  ['amazon ec2', 'kvm'],
  ['alibaba cloud ecs', 'kvm'],
  ['digitalocean', 'kvm'],
  ['hetzner vserver', 'kvm'],
];

/** @returns '' for real hardware, undefined without DMI */
function firmwareSystem(roots: Roots): string | undefined {
  const vendor = readText(`${roots.sys}/class/dmi/id/sys_vendor`);
  const product = readText(`${roots.sys}/class/dmi/id/product_name`);
  if (vendor === undefined && product === undefined) return undefined;
  // The bare-metal instances of a cloud carry its name, too: "Amazon EC2", "c5.metal".
  if (product?.includes('.metal')) return '';
  const text = `${vendor ?? ''} ${product ?? ''}`.toLowerCase();
  return FIRMWARE.find(([word]) => text.includes(word))?.[1] ?? '';
}

function hostSystem(roots: Roots): Virtualization {
  const modules = readText(`${roots.proc}/modules`) ?? '';
  const system = /^kvm[ _]/m.test(modules) ? 'kvm' : /^vboxdrv /m.test(modules) ? 'vbox' : '';
  return { virtualization_system: system, virtualization_role: system === '' ? '' : 'host' };
}
