// test-timeout: 120s
import t from 'tap';
import { PROC_BOX } from '../fixtures/run.js';
import { slurmCluster, withoutSlurm } from '../fixtures/slurm.js';

/** proc_box as users type it, in a real Slurm. */

t.test('srun and sbatch', { skip: withoutSlurm() }, async (t) => {
  const slurm = await slurmCluster(t, { nodes: 4 });

  t.test("srun proc_box: output and exit status are the job's", async (t) => {
    const { code, stdout, stderr } = await slurm.run(['srun', '-n1', PROC_BOX, '--', 'sh', '-c', 'echo hello; exit 7']);
    t.equal(code, 7);
    t.equal(stdout, 'hello\n');
    t.match(stderr, /job \d+ step 0 task 0 started in box/);
  });

  t.test('a batch script with exec proc_box', async (t) => {
    const job = await slurm.sbatch(`exec ${PROC_BOX} sh -c 'echo batch; exit 3'`);
    const { ExitCode } = await job.ended();
    t.equal(ExitCode, '3:0');
    t.equal(job.stdout(), 'batch\n');
  });
});
