import t from 'tap';
import type { Roots } from '../../src/kernel/roots.js';
import { virtualization } from '../../src/kernel/virtualization.js';

const EMPTY = { proc: {}, etc: {}, sys: {}, run: {} };

/** A system made of a few files, in a directory of the test. */
function roots(dir: string): Roots {
  return { proc: `${dir}/proc`, etc: `${dir}/etc`, sys: `${dir}/sys`, run: `${dir}/run` };
}

t.test('virtualization is guessed from files alone', (t) => {
  const dmi = (sys_vendor: string, product_name: string) => ({
    sys: { class: { dmi: { id: { sys_vendor, product_name } } } },
  });
  const cgroup = (line: string) => ({ proc: { self: { cgroup: line } } });
  const id = '0123456789abcdef0123456789abcdef';
  const cases: readonly (readonly [string, object, string, string])[] = [
    ['QEMU', dmi('QEMU\n', 'Standard PC (Q35 + ICH9, 2009)\n'), 'kvm', 'guest'],
    ['VMware', dmi('VMware, Inc.\n', 'VMware7,1\n'), 'vmware', 'guest'],
    ['VirtualBox', dmi('innotek GmbH\n', 'VirtualBox\n'), 'vbox', 'guest'],
    ['Hyper-V', dmi('Microsoft Corporation\n', 'Virtual Machine\n'), 'hyperv', 'guest'],
    ['EC2', dmi('Amazon EC2\n', 'c5.large\n'), 'kvm', 'guest'],
    ['EC2 metal', dmi('Amazon EC2\n', 'c5.metal\n'), '', ''],
    ['a server', dmi('Dell Inc.\n', 'PowerEdge R750\n'), '', ''],
    [
      'a KVM host',
      { ...dmi('Dell Inc.\n', 'R750\n'), proc: { modules: 'kvm_intel 1 0 - Live 0x0\nkvm 2 1 kvm_intel, Live 0x0\n' } },
      'kvm',
      'host',
    ],
    ['Firecracker', { proc: { cpuinfo: 'processor : 0\nflags\t\t: fpu vme hypervisor lahf_lm\n' } }, '', 'guest'],
    ['Xen guest', { sys: { hypervisor: { type: 'xen\n' } } }, 'xen', 'guest'],
    [
      'Xen host',
      { sys: { hypervisor: { type: 'xen\n' } }, proc: { xen: { capabilities: 'control_d\n' } } },
      'xen',
      'host',
    ],
    ['Docker, v1', cgroup(`5:pids:/docker/${id}\n`), 'docker', 'guest'],
    ['Docker, systemd', cgroup(`0::/system.slice/docker-${id}.scope\n`), 'docker', 'guest'],
    ['the docker daemon itself', cgroup('0::/system.slice/docker.service\n'), '', ''],
    ['Podman', cgroup(`0::/machine.slice/libpod-${id}.scope\n`), 'podman', 'guest'],
    ['LXC', cgroup('0::/lxc.payload.c1\n'), 'lxc', 'guest'],
    ['Docker with a cgroup namespace', { '.dockerenv': '', ...cgroup('0::/\n') }, 'docker', 'guest'],
    ['Podman with a cgroup namespace', { run: { '.containerenv': '' } }, 'podman', 'guest'],
    ['nspawn', { run: { systemd: { container: 'systemd-nspawn\n' } } }, 'systemd-nspawn', 'guest'],
    ['nothing known', {}, '', ''],
  ];
  for (const [name, files, system, role] of cases) {
    t.test(name, (t) => {
      const found = virtualization(roots(t.testdir({ ...EMPTY, ...files })));
      t.strictSame(found, { virtualization_system: system, virtualization_role: role });
      t.end();
    });
  }
  t.end();
});
