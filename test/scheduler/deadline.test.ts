import t from 'tap';
import { jobDeadline } from '../../src/scheduler/deadline.js';
import type { Environment } from '../../src/scheduler/identity.js';

t.test('the end of the job is what its scheduler says, or unknown', async (t) => {
  const now = 1_700_000_000_000;
  const slurm = (end: string) => ({ SLURM_JOB_ID: '1', SLURM_JOB_END_TIME: end });
  const year = 365 * 86_400;
  const unlimited = { ...slurm(String(1_690_000_000 + year)), SLURM_JOB_START_TIME: '1690000000' };
  const pbs = (walltime: string) => ({ PBS_JOBID: '1.s', PBS_WALLTIME: walltime });
  const cases: [Environment, 'slurm' | 'pbs' | 'none', number | null][] = [
    [{}, 'none', null],
    [{ SLURM_JOB_END_TIME: '1700003600' }, 'none', null],
    [{ SLURM_JOB_ID: '1' }, 'slurm', null],
    [slurm('1700003600'), 'slurm', 3_600_000],
    [slurm('1699999999'), 'slurm', null],
    [slurm('1700000000'), 'slurm', null],
    [slurm('4294967294'), 'slurm', null],
    [slurm(String(1_700_000_000 + year)), 'slurm', null],
    [slurm(String(1_700_000_000 + year - 60)), 'slurm', null],
    [unlimited, 'slurm', null],
    [{ ...slurm('1700003600'), SLURM_JOB_START_TIME: '1690000000' }, 'slurm', 3_600_000],
    [{ ...slurm('1700003600'), SLURM_JOB_START_TIME: 'junk' }, 'slurm', 3_600_000],
    [slurm('0'), 'slurm', null],
    [slurm('junk'), 'slurm', null],
    [{ PBS_JOBID: '1.s' }, 'pbs', null],
    [pbs('01:30:00'), 'pbs', 5_400_000],
    [pbs('100:00:01'), 'pbs', 360_001_000],
    [pbs('90'), 'pbs', 90_000],
    [pbs('0'), 'pbs', null],
    [pbs('1h'), 'pbs', null],
    [pbs('1:2:3:4'), 'pbs', null],
  ];
  for (const [environment, scheduler, remainingMs] of cases) {
    t.strictSame(jobDeadline(environment, now), { scheduler, remainingMs }, JSON.stringify(environment));
  }
});
