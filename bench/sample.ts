import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { sampleTree } from 'cgroup-utils-native';
import { connectWatcher } from './broker.js';
import { type Bench, childrenOf, cpuMsOf, median, ms, procBox, type Row } from './measure.js';

/** Processes of the tree, and the CPU time that one sample of it may cost. */
const TREES = [
  { processes: 1, targetMs: 1 },
  { processes: 100, targetMs: 4 },
  { processes: 1000, targetMs: 30 },
] as const;

const WALKS = 40;
const SAMPLES = 20;

/** CPU time of one sample: of the walk alone, and all of it in a box that publishes (wrapper and keeper together). */
export async function sample(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { processes, targetMs } of TREES) {
    const walk = await walkMs(bench, processes);
    const whole = await inBoxMs(bench, processes);
    rows.push({
      figure: `one sample, ${processes} ${processes === 1 ? 'process' : 'processes'}, CPU`,
      measured: ms(whole),
      reference: `walk of the tree alone: ${ms(walk)}`,
      target: `at most ${targetMs} ms`,
      pass: whole <= targetMs,
    });
  }
  return rows;
}

/** Child processes of this one: the tree and nothing else, since no other figure runs now. */
async function walkMs(bench: Bench, processes: number): Promise<number> {
  const tree = spawn(bench.probe, ['tree', String(processes)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await ready(tree);
  const costs: number[] = [];
  for (let i = 0; i < bench.rounds(WALKS); i += 1) {
    const before = process.cpuUsage();
    const { pids } = sampleTree(process.pid, { rows: 5, openFilesOf: tree.pid as number });
    const { user, system } = process.cpuUsage(before);
    if (pids.length < processes) throw new Error(`sampleTree saw ${pids.length} of ${processes} processes`);
    costs.push((user + system) / 1000);
  }
  await end(tree);
  return median(costs);
}

async function inBoxMs(bench: Bench, processes: number): Promise<number> {
  await using watcher = await connectWatcher(bench.brokerUri);
  const args = [
    '-uri',
    bench.brokerUri,
    '-sint',
    '100ms',
    '-timeout',
    '0',
    '--',
    bench.probe,
    'tree',
    String(processes),
  ];
  const box = spawn(procBox, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  await ready(box);
  const settled = (sample: { Counts: { processes: number }; Cause: string }) =>
    sample.Cause === 'interval' && sample.Counts.processes >= processes;
  for (let i = 0; i < 5; i += 1) await watcher.sample(settled);
  const wrapper = box.pid as number;
  const [keeper] = childrenOf(wrapper);
  const cpu = () => cpuMsOf(wrapper) + (keeper === undefined ? 0 : cpuMsOf(keeper));
  const costs: number[] = [];
  let before = cpu();
  for (let i = 0; i < bench.rounds(SAMPLES) * 5; i += 1) {
    await watcher.sample(settled);
    const now = cpu();
    costs.push(now - before);
    before = now;
  }
  await end(box);
  return median(costs);
}

async function ready(child: ChildProcess): Promise<void> {
  const [chunk] = (await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer];
  if (!chunk.toString().includes('ready')) throw new Error(`probe tree: ${chunk}`);
}

async function end(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  if (child.exitCode === null) await once(child, 'exit');
}
