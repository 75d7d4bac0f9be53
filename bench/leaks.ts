import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { connectWatcher } from './broker.js';
import { type Bench, procBox, type Row, runOnce } from './measure.js';

const SEQUENTIAL = 1000;
const AT_ONCE = 50;

/** What many runs of /bin/true in a box leave behind: processes, queues, connections, control groups. */
export async function leaks(bench: Bench): Promise<Row[]> {
  await using watcher = await connectWatcher(bench.brokerUri);
  // The first run opens our own connections and fills caches.
  await watcher.roundTripMs();
  runOnce(bench, [procBox, '-uri', bench.brokerUri, '--', '/bin/true']);
  const before = await count(bench);
  const jobs = bench.rounds(SEQUENTIAL);
  const startedMs = performance.now();
  for (let i = 0; i < jobs; i += 1) runOnce(bench, [procBox, '-uri', bench.brokerUri, '--', '/bin/true']);
  const seconds = (performance.now() - startedMs) / 1000;
  const inTurn = (await watcher.finals(jobs + 1)).finals - 1;
  const codes = await Promise.all(Array.from({ length: AT_ONCE }, () => atOnce(bench)));
  const failed = codes.filter((code) => code !== 0).length;
  const { finals } = await watcher.finals(jobs + AT_ONCE + 1);
  const after = await settled(bench, before);
  const none = Object.values(after).every((value, index) => value <= (Object.values(before)[index] as number));
  const differences = Object.entries(after).map(([name, value]) => `${value - before[name as keyof Left]} ${name}`);
  return [
    {
      figure: `left by ${jobs} jobs in turn and ${AT_ONCE} at once`,
      measured: differences.join(', '),
      reference: `${(jobs / seconds).toFixed(1)} jobs/s in turn; ${failed} failed`,
      target: 'nothing',
      pass: none && failed === 0,
    },
    {
      figure: 'final samples of those in turn delivered',
      measured: String(inTurn),
      // On a few cores, 50 wrappers at once may need longer than --flush to connect, and they rightly keep that bound.
      reference: `${jobs} jobs; of those at once ${finals - inTurn - 1}`,
      target: 'all',
      pass: inTurn === jobs,
    },
  ];
}

async function atOnce(bench: Bench): Promise<number | null> {
  const box = spawn(procBox, ['-uri', bench.brokerUri, '--', '/bin/true'], { stdio: 'ignore' });
  const [code] = (await once(box, 'exit')) as [number | null];
  return code;
}

interface Left {
  readonly processes: number;
  readonly queues: number;
  /** Descriptors of the broker, one per connection. */
  readonly connections: number;
  readonly 'descriptors of the caller': number;
  readonly cgroups: number;
}

async function count(bench: Bench): Promise<Left> {
  return {
    processes: processesOf(realpathSync(procBox)),
    queues: await bench.brokerCount('queues'),
    connections: readdirSync(`/proc/${bench.brokerPid}/fd`).length,
    'descriptors of the caller': readdirSync('/proc/self/fd').length,
    cgroups: readdirSync('/sys/fs/cgroup', { recursive: true }).filter((name) => String(name).includes('proc_box'))
      .length,
  };
}

/** The broker closes connections a moment after their clients have gone. */
async function settled(bench: Bench, before: Left): Promise<Left> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const now = await count(bench);
    if (now.connections <= before.connections || performance.now() > deadline) return now;
  }
}

/** The number of keepers, front ends and Node wrappers: by their executable, or by dist/boot.cjs in their arguments. */
function processesOf(executable: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return (
        readlinkSync(`/proc/${pid}/exe`).startsWith(executable) ||
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/dist/boot.cjs')
      );
    } catch {
      return false; // ENOENT: the process has ended, or is a kernel thread
    }
  }).length;
}
