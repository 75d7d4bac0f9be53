import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { startSlurm } from '../scripts/dev/slurm-cluster.mjs';
import { startAgent } from './agent/start.js';
import { type Bench, Cleanup, interleave, median, ms, node, procBox, type Row, root } from './measure.js';

/**
 * Time that each way adds to a task, beyond bare srun in the same run. It is compared with the time that `node -e 0` adds, which
 * is the cost of starting Node. One srun starts all tasks of a node at once. bench/prolog.ts measures the prolog way.
 */
export async function slurm(bench: Bench): Promise<Row[]> {
  await using cleanup = new Cleanup();
  const cluster = await startSlurm({ cpus: 32 });
  cleanup.defer(() => cluster.stop());
  const lib = join(cluster.dir, 'lib');
  const site = (...words: string[]) =>
    execFileSync(node, [join(root, 'scripts/site/slurm/site.mjs'), ...words, '--etc', cluster.etc, '--lib', lib]);
  site('install', 'spank', '--option', 'uri=none', '--option', 'config=none');

  await using agent = await startAgent(bench, bench.brokerUri);
  const env = { ...cluster.env };
  const srun = (tasks: number, ...words: string[]) => {
    const began = performance.now();
    execFileSync('srun', ['-N1', `-n${tasks}`, ...words], { env, stdio: 'ignore', cwd: cluster.dir });
    return performance.now() - began;
  };
  const rows: Row[] = [];
  for (const [tasks, rounds] of [
    [1, bench.rounds(30)],
    [16, bench.rounds(10)],
  ] as const) {
    const times = await interleave(rounds, {
      bare: () => srun(tasks, '/bin/true'),
      node: () => srun(tasks, node, '-e', '0'),
      explicit: () => srun(tasks, procBox, '-uri', 'none', '--config', 'none', '--', '/bin/true'),
      agent: () => srun(tasks, procBox, ...agent.options, '--', '/bin/true'),
      spank: () => srun(tasks, '--box', '/bin/true'),
    });
    const added = (name: keyof typeof times) => median(times[name].map((time, round) => time - times.bare[round]!));
    const row = (
      name: 'explicit' | 'agent' | 'spank',
      figure: string,
      most: number,
      than: 'node' | 'explicit',
    ): Row => {
      const ratio = added(name) / added(than);
      return {
        figure: `${figure}, ${tasks === 1 ? 'one task' : `${tasks} tasks at once`}: added`,
        measured: ms(added(name)),
        reference: `${than === 'node' ? 'node -e 0' : 'explicit'} adds ${ms(added(than))}; bare srun ${ms(median(times.bare))}`,
        ratio,
        target: `at most ${most}`,
        pass: ratio <= most,
      };
    };
    rows.push(
      row('explicit', 'srun proc_box', 1.3, 'node'),
      row('agent', 'srun proc_box, agent with a broker', 0.3, 'node'),
      // The plugin and its script take less time than can be measured here.
      row('spank', 'SPANK', 1.05, 'explicit'),
    );
  }
  return rows;
}
