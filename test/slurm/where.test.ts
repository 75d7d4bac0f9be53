// test-timeout: 120s
import t from 'tap';
import { sharedBroker, unique } from '../fixtures/broker.js';
import { PROC_BOX } from '../fixtures/run.js';
import { slurmCluster, withoutSlurm } from '../fixtures/slurm.js';

/** `proc_box where` for every kind of job that users name; test/cli/where.test.ts has the rest, without a cluster. */

const NOBODY = 65534;

t.test('proc_box where', { skip: withoutSlurm() }, async (t) => {
  const [slurm, uri] = await Promise.all([slurmCluster(t, { nodes: 2 }), sharedBroker(t)]);
  const env = { PBOX_URI: uri, PBOX_RKEY: unique('where') };
  const where = (...words: string[]) => slurm.run([PROC_BOX, 'where', ...words], { env });
  const running = async (id: string, count: number) => {
    const boxes = async () => (await where(id)).stdout.match(/: box \w+, running, pid \d+, user root$/gm)?.length;
    await slurm.until(async () => (await boxes()) === count, `${count} boxes answer`);
  };

  t.test('an array: what runs, with the pids of each task alone, and what waits', async (t) => {
    const { id } = await slurm.sbatch(`exec ${PROC_BOX} sleep 300`, ['--array=4-6%2'], { env });
    await running(id, 2);
    const { stdout, code } = await where(id);
    t.equal(code, 0);
    const lines = stdout.split('\n').sort();
    t.match(lines.join('\n'), new RegExp(`^job ${id}_6: PENDING \\(JobArrayTaskLimit\\), user root, nodes none$`, 'm'));
    for (const task of [4, 5]) {
      const part = `job ${id}_${task}`;
      const alone = await where(`${id}_${task}`);
      t.strictSame(
        alone.stdout.split('\n').sort(),
        lines.filter((line) => line.startsWith(part) || line === ''),
        'a task by its own name',
      );
      t.match(
        alone.stdout,
        new RegExp(`^${part} step batch on t\\d+n\\d: pids [\\d ]+\\n${part} step batch task 0`, 'm'),
      );
    }
    const pids = [...stdout.matchAll(/ pids ([\d ]+)$/gm)].flatMap(([, list]) => list!.split(' '));
    t.equal(new Set(pids).size, pids.length, stdout);
    await slurm.command('scancel', id);
  });

  t.test('a heterogeneous job: each component has its own steps', async (t) => {
    const { id } = await slurm.sbatch(`srun ${PROC_BOX} sleep 300 : ${PROC_BOX} sleep 300`, ['-n1', ':', '-n1'], {
      env,
    });
    await running(id, 2);
    const { stdout } = await where(id);
    for (const component of [0, 1]) {
      t.match(stdout, new RegExp(`^job ${id}\\+${component}: RUNNING, user root, nodes t`, 'm'));
      t.equal(
        stdout.match(new RegExp(`^job ${id}\\+${component} step 0 on t\\d+n\\d: pids [\\d ]+$`, 'gm'))?.length,
        1,
      );
    }
    t.match(stdout, new RegExp(`^job ${id} step 0 task 1 on t\\d+n2 `, 'm'), 'boxes go by the name of the whole');
    await slurm.command('scancel', id);
  });

  t.test('a job that waits, and the job of another user', async (t) => {
    const held = await slurm.sbatch('true', ['--hold']);
    t.match(await where('--uri', 'none', held.id), {
      code: 0,
      stdout: `job ${held.id}: PENDING (JobHeldUser), user root, nodes none\n`,
    });
    const job = await slurm.sbatch('echo runs; sleep 300');
    await job.says('runs');
    const other = await slurm.run(['sh', '-c', `exec ${PROC_BOX} where --uri none ${job.id}`], { uid: NOBODY });
    if (!/Permission denied/.test(other.stderr)) {
      t.equal(other.code, 0);
      t.match(other.stdout, /^job \d+: RUNNING, user root, nodes t\d+n\d\n$/, 'pids are for its owner and for root');
    }
    await slurm.command('scancel', job.id, held.id);
  });
});
