import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectWatcher } from '../broker.js';
import { type Bench, kilobyteField, mib, procBox, type Row, runOnce } from '../measure.js';
import { type BenchAgent, startAgent } from './start.js';

const SEQUENTIAL = 1_000;
const AT_ONCE = 200;
const JOBS_PER_SEC = 60;

/** Many runs of /bin/true through one agent: how fast, and what they leave behind; what the broker has for the node. */
export async function agentJobs(bench: Bench): Promise<Row[]> {
  const brokerBefore = await ofBroker(bench);
  await using agent = await startAgent(bench, bench.brokerUri);
  const broker = await ofBroker(bench);
  await using watcher = await connectWatcher(bench.brokerUri);
  const words = [procBox, ...agent.options, '--', '/bin/true'];
  runOnce(bench, words);
  const before = left(agent);
  const jobs = bench.rounds(SEQUENTIAL);
  const startedMs = performance.now();
  for (let i = 0; i < jobs; i += 1) runOnce(bench, words);
  const perSec = (jobs * 1_000) / (performance.now() - startedMs);
  const codes = await Promise.all(Array.from({ length: AT_ONCE }, () => exitCode(words)));
  const failed = codes.filter((code) => code !== 0).length;
  const { finals } = await watcher.finals(jobs + AT_ONCE + 1);
  const residentBytes = kilobyteField(agent.pid, 'status', 'VmRSS');
  const after = await settled(agent, before);
  const differences = Object.entries(after).map(([name, value]) => [name, value - before[name as keyof Left]] as const);
  return [
    {
      figure: `left by ${jobs} jobs through the agent in turn and ${AT_ONCE} at once`,
      measured: differences.map(([name, value]) => `${value} ${name}`).join(', '),
      reference: `${failed} failed; the agent has ${mib(residentBytes)} resident`,
      target: 'nothing',
      pass: failed === 0 && differences.every(([, value]) => value <= 0),
    },
    {
      figure: 'jobs through the agent in turn',
      measured: `${perSec.toFixed(1)}/s`,
      reference: `${finals} of ${jobs + AT_ONCE + 1} final samples delivered`,
      target: `at least ${JOBS_PER_SEC}/s`,
      pass: perSec >= JOBS_PER_SEC && finals === jobs + AT_ONCE + 1,
    },
    {
      figure: 'of the node on the broker',
      measured: `${broker.connections - brokerBefore.connections} connections, ${broker.queues - brokerBefore.queues} queues`,
      reference: '',
      target: '2 connections, 1 queue',
      pass: broker.connections - brokerBefore.connections === 2 && broker.queues - brokerBefore.queues === 1,
    },
  ];
}

async function ofBroker(bench: Bench): Promise<{ connections: number; queues: number }> {
  return { connections: await bench.brokerCount('connections'), queues: await bench.brokerCount('queues') };
}

async function exitCode([file, ...args]: readonly string[]): Promise<number | null> {
  const [code] = (await once(spawn(file as string, args, { stdio: 'ignore' }), 'exit')) as [number | null];
  return code;
}

interface Left {
  readonly processes: number;
  readonly groups: number;
  readonly 'descriptors of the agent': number;
}

function left(agent: BenchAgent): Left {
  const executable = realpathSync(procBox);
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`).startsWith(executable);
    } catch {
      return false; // ENOENT: the process has ended, or is a kernel thread
    }
  }).length;
  return {
    processes,
    groups: groupsBelow('/sys/fs/cgroup'),
    'descriptors of the agent': readdirSync(`/proc/${agent.pid}/fd`).length,
  };
}

/** Groups of boxes. Some may go while we look. */
function groupsBelow(folder: string): number {
  try {
    const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return below.reduce(
      (sum, { name }) => sum + Number(name.startsWith('proc_box-')) + groupsBelow(`${folder}/${name}`),
      0,
    );
  } catch {
    return 0;
  }
}

async function settled(agent: BenchAgent, before: Left): Promise<Left> {
  for (const until = performance.now() + 10_000; ; await sleep(100)) {
    const now = left(agent);
    const none = Object.entries(now).every(([name, value]) => value <= before[name as keyof Left]);
    if (none || performance.now() > until) return now;
  }
}
