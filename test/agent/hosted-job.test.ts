import type { Keeper, KeeperEvent } from 'cgroup-utils-native';
import t from 'tap';
import { hostedJob } from '../../src/agent/hosted-job.js';
import type { JobIdentity } from '../../src/options/spec.js';

type Origin = Extract<KeeperEvent, { type: 'origin' }>;
const keeper = {
  pids: [12, 11],
  writeReport: async () => ({ code: 'EACCES' }),
} as unknown as Keeper;
const origin = { frontPid: 10, folder: '/work', children: [9] } as unknown as Origin;

t.test('a job is described by what its keeper has told, and by the kernel', async (t) => {
  const job = hostedJob(keeper, origin, { HOME: '/home/alice' }, 'alice', { pid: process.pid, uid: 1000 });
  t.match(job, { user: 'alice', frontPid: 10, adopted: null });
  t.strictSame(job.ourPids, [10, 12, 11]);
  t.strictSame(job.files(), { home: '/home/alice', folder: '/work', owner: null });
  t.strictSame(job.verified?.({ scheduler: 'none', job: 'x' } as JobIdentity), ['user', 'host']);
  t.equal(await job.writeReport?.('/r', [], ''), 'EACCES');
});

t.test('in a PBS job the children that MoM had given belong to us', async (t) => {
  const job = hostedJob(keeper, origin, { PBS_JOBID: '1.server' }, 'alice', { pid: 0, uid: 1000 });
  t.strictSame(job.ourPids, [10, 12, 11, 9]);
  t.strictSame(job.verified?.({ scheduler: 'pbs', job: '1' } as JobIdentity), ['user', 'host'], 'no pid, no group');
});
