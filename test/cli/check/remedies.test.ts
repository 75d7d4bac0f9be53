import t from 'tap';
import { delegation, kernelArgument, parentOf, UNIFIED } from '../../../src/cli/check/remedies.js';

t.test('remedies: systemd, plain v2, v1, Slurm', async (t) => {
  const place = { scheduler: 'none', root: false, unified: true, systemd: true } as const;
  t.match(delegation(place, 'cpu', '/g'), 'systemd-run --user --scope -p Delegate=yes');
  t.match(
    delegation(place, 'cpu', '/g'),
    '/etc/systemd/system/user@.service.d/delegate.conf: [Service] Delegate=cpu cpuset io memory pids',
  );
  t.match(delegation({ ...place, root: true }, 'cpu', '/g'), 'systemd-run --scope -p Delegate=yes');
  t.match(delegation({ ...place, systemd: false }, 'cpu', '/a/g'), 'echo +cpu > /a/cgroup.subtree_control');
  t.match(delegation({ ...place, unified: false }, 'cpu', '/g'), 'mkdir /g/<user>');
  t.match(delegation({ ...place, scheduler: 'slurm' }, 'cpu', '/g'), 'Slurm finds only processes in its own groups');
});

t.test(
  'in a Slurm job with v1 the prolog may give some controllers, and others only where Slurm has none',
  async (t) => {
    const place = { scheduler: 'slurm', root: false, unified: false, systemd: true } as const;
    for (const controller of ['pids', 'blkio', 'cpu'])
      t.match(delegation(place, controller, '/g'), /so does Slurm's Prolog; cgroup\.conf/, controller);
    t.match(delegation(place, 'memory', '/g'), /does so only if slurm\.conf says that Slurm itself uses no groups/);
  },
);

t.test('what the kernel does not have needs an argument of it', async (t) => {
  t.equal(kernelArgument('swapaccount=1'), 'kernel argument swapaccount=1');
  t.equal(kernelArgument(undefined), 'a kernel with this controller, or remove cgroup_disable= from its arguments');
  t.match(UNIFIED, /systemd\.unified_cgroup_hierarchy=1/);
});

t.test('the group above another', async (t) => {
  t.strictSame(['/a/b', '/a', '/'].map(parentOf), ['/a', '/', '/']);
});
