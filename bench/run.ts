/** The benchmarks' main program, started by scripts/dev/bench.mjs. Each figure has its own file. */
import { cpus as cores, loadavg } from 'node:os';
import { adopt } from './adopt.js';
import { agentCpu } from './agent/cpu.js';
import { agentJobs } from './agent/jobs.js';
import { agentKill } from './agent/kill.js';
import { agentLaunch } from './agent/launch.js';
import { agentMemory } from './agent/memory.js';
import { agentRestart } from './agent/restart.js';
import { boxes } from './boxes.js';
import { cgroupLaunch } from './cgroup-launch.js';
import { cgroupSample } from './cgroup-sample.js';
import { collectorChaos } from './collector/chaos.js';
import { collectorMemory } from './collector/memory.js';
import { collectorPage } from './collector/page.js';
import { collectorThroughput } from './collector/throughput.js';
import { controlLatency } from './control-latency.js';
import { cpus } from './cpus.js';
import { drain } from './drain.js';
import { forkBomb } from './fork-bomb.js';
import { idle } from './idle.js';
import { kill } from './kill.js';
import { launch } from './launch.js';
import { leaks } from './leaks.js';
import { type Bench, prepare, type Row } from './measure.js';
import { memory } from './memory.js';
import { overshoot } from './overshoot.js';
import { prolog } from './prolog.js';
import { sample } from './sample.js';
import { signedCommands } from './signed.js';
import { slurm } from './slurm.js';
import { stdout } from './stdout.js';
import { formatTable } from './table.js';
import { top } from './top.js';

const FIGURES: Readonly<Record<string, (bench: Bench) => Promise<Row[]>>> = {
  launch,
  stdout,
  sample,
  idle,
  kill,
  memory,
  leaks,
  cgroupLaunch,
  adopt,
  prolog,
  cgroupSample,
  overshoot,
  forkBomb,
  cpus,
  boxes,
  drain,
  controlLatency,
  slurm,
  signedCommands,
  agentLaunch,
  agentMemory,
  agentCpu,
  agentKill,
  agentRestart,
  agentJobs,
  top,
  collectorThroughput,
  collectorChaos,
  collectorMemory,
  collectorPage,
};

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const chosen = words.filter((word) => !word.startsWith('--'));
const unknown = chosen.filter((name) => !(name in FIGURES));
if (unknown.length > 0)
  throw new Error(`no figure ${unknown.join(', ')}; there are ${Object.keys(FIGURES).join(', ')}`);

const [load] = loadavg() as [number];
if (load > 1)
  process.stderr.write(
    `the load average is ${load.toFixed(1)}: ratios to single-threaded programs will be worse than on a quiet machine\n`,
  );
using bench = prepare(quick);
const rows: Row[] = [];
for (const [name, measure] of Object.entries(FIGURES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  process.stderr.write(`measuring ${name} ...\n`);
  try {
    rows.push(...(await measure(bench)));
  } catch (error) {
    rows.push({ figure: name, measured: 'not measured', reference: (error as Error).message, target: '', pass: false });
  }
}
process.stdout.write(
  `${formatTable(rows)}\n\n${cores().length} cores, Node ${process.version}, load average at the start ${load.toFixed(1)}\n`,
);
process.disconnect?.(); // the channel to scripts/dev/bench.mjs would keep this process alive
process.exitCode = rows.some((row) => row.pass === false) ? 1 : 0;
