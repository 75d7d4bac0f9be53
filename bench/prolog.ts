import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { missingProgram, type SlurmCluster, startSlurm } from '../scripts/dev/slurm-cluster.mjs';
import { type Bench, interleave, median, ms, node, procBox, type Row, root, runOnce } from './measure.js';

const ROUNDS = 20;
const TARGET = 1.3;
const SITE = join(root, 'scripts', 'site', 'slurm', 'site.mjs');

/** Time that the prolog way adds to a step of one task and of 16 tasks on a node: one cluster with it against one without. */
export async function prolog(bench: Bench): Promise<Row[]> {
  const missing = process.getuid?.() === 0 ? missingProgram() : 'root';
  if (missing !== undefined) throw new Error(`needs ${missing}`);
  const [bare, boxed] = [await startSlurm({ cpus: 16 }), await startSlurm({ cpus: 16 })];
  try {
    const where = ['--etc', boxed.etc, '--lib', join(boxed.dir, 'lib'), '--state', join(boxed.dir, 'run')];
    const options = ['uri=none', 'config=none', 'rlimit=nofile=1000:1000'].flatMap((word) => ['--option', word]);
    execFileSync(node, [SITE, 'install', 'prolog', ...where, '--proc-box', procBox, ...options]);
    await boxed.command('scontrol', 'reconfigure');
    // The steps run in one allocation, because prolog and epilog run once for all steps of a job.
    const allocations = [bare, boxed].map(({ env }) => {
      const words = ['-n16', '--no-shell'];
      const { stderr } = spawnSync('salloc', words, { env, encoding: 'utf8' });
      return { ...env, SLURM_JOB_ID: /job allocation (\d+)/.exec(stderr)?.[1] ?? '' };
    });
    const step = (at: 0 | 1, tasks: number) => () => {
      const began = performance.now();
      const words = ['--overlap', `-n${tasks}`, '/bin/true'];
      const { status, stderr } = spawnSync('srun', words, { env: allocations[at], encoding: 'utf8' });
      if (status !== 0) throw new Error(`srun: ${stderr}`);
      return performance.now() - began;
    };
    const { stdout } = spawnSync('srun', ['--overlap', '-n16', 'sh', '-c', 'ulimit -n'], {
      env: allocations[1],
      encoding: 'utf8',
    });
    if (stdout !== '1000\n'.repeat(16)) throw new Error(`the tasks are not boxed: ${stdout}`);
    const rows: Row[] = [];
    for (const tasks of [1, 16]) {
      const nodes = () => {
        if (tasks === 1) return runOnce(bench, [node, '-e', '0']).wallMs;
        const script = `for i in $(seq ${tasks}); do ${node} -e 0 & done; wait`;
        return runOnce(bench, ['/bin/sh', '-c', script]).wallMs;
      };
      const values = await interleave(bench.rounds(ROUNDS), {
        node: nodes,
        bare: step(0, tasks),
        boxed: step(1, tasks),
      });
      const added = median(values.boxed.map((value, round) => value - (values.bare[round] as number)));
      const reference = median(values.node);
      rows.push({
        figure: `prolog: added to a step of ${tasks} ${tasks === 1 ? 'task' : 'tasks'}`,
        measured: ms(added),
        reference: `${tasks} x node -e 0: ${ms(reference)}; bare srun: ${ms(median(values.bare))}`,
        ratio: added / reference,
        target: `at most ${TARGET} x`,
        pass: added / reference <= TARGET,
      });
    }
    return rows;
  } finally {
    await ended(boxed);
    await Promise.all([bare.stop(), boxed.stop()]);
  }
}

/** Waits for the epilogs, which remove what the prologs have made, before their Slurm is killed. */
async function ended({ command, dir }: SlurmCluster): Promise<void> {
  await command('scancel', '--user', userInfo().username);
  const state = join(dir, 'run');
  const deadline = performance.now() + 30_000;
  while (existsSync(state) && readdirSync(state).length > 0 && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50));
}
