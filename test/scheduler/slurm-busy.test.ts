import t from 'tap';
import { isStepdBusy } from '../../src/scheduler/slurm-busy.js';

const files: Readonly<Record<string, string>> = {
  '/proc/70/stat': '70 (a) b) S 60 70 70',
  '/proc/60/task/60/stat': '60 (slurmstepd) S 1 60',
  '/proc/60/task/61/stat': '61 (slurmstepd) R 1 60',
  '/proc/80/stat': '80 (sh) S 50 80 80',
  '/proc/50/task/50/stat': '50 (slurmstepd) S 1 50',
  '/proc/90/stat': '90 (sh) S 1 90 90',
  '/proc/1/task/1/stat': '1 (init) R 0 1',
};
const proc = {
  read: (path: string) => files[path] ?? null,
  list: (path: string) =>
    Object.keys(files)
      .filter((file) => file.startsWith(`${path}/`))
      .map((file) => file.split('/').at(-2)!),
};

t.test('slurmstepd is the parent of the top process, and busy where a thread of it may run', async (t) => {
  t.equal(isStepdBusy({ SLURM_TASK_PID: '70' }, 75, proc), true);
  t.equal(isStepdBusy({ SLURM_TASK_PID: '80' }, 85, proc), false);
  t.equal(isStepdBusy({}, 70, proc), true, 'we are the top process');
  t.equal(isStepdBusy({ SLURM_TASK_PID: '99' }, 75, proc), false, 'it has gone');
  t.equal(isStepdBusy({ SLURM_TASK_PID: '90' }, 75, proc), false, 'nobody waits for init');
});
