import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connectWatcher } from './broker.js';
import { type Bench, childrenOf, cpuMsOf, ms, procBox, type Row } from './measure.js';

const TARGET_MS = 200;
const SECONDS = 30;

/** CPU time of wrapper and keeper in 30 s at one sample per second, including launch and connection. */
export async function idle(bench: Bench): Promise<Row[]> {
  await using watcher = await connectWatcher(bench.brokerUri);
  const seconds = bench.rounds(SECONDS);
  const args = ['-uri', bench.brokerUri, '-sint', '1s', '--', 'sleep', '600'];
  const first = watcher.sample((sample) => sample.Cause === 'start');
  const box = spawn(procBox, args, { stdio: 'ignore' });
  await first;
  const wrapper = box.pid as number;
  const keepers = childrenOf(wrapper);
  const cpu = () => [wrapper, ...keepers].reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  const launched = cpu();
  for (let i = 0; i < seconds; i += 1) await watcher.sample((sample) => sample.Cause === 'interval');
  const all = cpu();
  box.kill('SIGTERM');
  await once(box, 'exit');
  return [
    {
      figure: `CPU in ${seconds} s at 1 sample/s`,
      measured: ms(all),
      reference: `up to the first sample: ${ms(launched)}; each later second: ${ms((all - launched) / seconds)}`,
      target: `at most ${TARGET_MS} ms`,
      pass: all <= TARGET_MS,
    },
  ];
}
