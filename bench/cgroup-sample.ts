import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Bench, childrenOf, cpuMsOf, ms, procBox, type Row } from './measure.js';

const PROCESSES = 1000;
const INTERVAL_MS = 100;
const SAMPLES = 100;
const TARGET_MS = 1;

/**
 * CPU time of wrapper and keeper for one sample of a large box, from the control group alone and with a row for every process.
 * There is no broker, so that publishing does not count, but a report, because a box takes no samples without a recipient. The
 * time of a box that does not sample is subtracted.
 */
export async function cgroupSample(bench: Bench): Promise<Row[]> {
  const samples = bench.rounds(SAMPLES);
  const idle = await costMs(bench, samples, '1h', '1h');
  const group = await costMs(bench, samples, `${INTERVAL_MS}ms`, '1h');
  const walk = await costMs(bench, samples, `${INTERVAL_MS}ms`, '0');
  const each = (group - idle) / samples;
  return [
    {
      figure: `one sample of ${PROCESSES} processes through the cgroup, CPU`,
      measured: ms(each),
      reference: `with a row for every process: ${ms((walk - idle) / samples)}; no samples: ${ms(idle / samples)}`,
      target: `at most ${TARGET_MS} ms`,
      pass: each <= TARGET_MS,
    },
  ];
}

async function costMs(bench: Bench, samples: number, interval: string, rows: string): Promise<number> {
  const options = [
    '-uri',
    'none',
    '--config',
    'none',
    '--timeout',
    '0',
    '-sint',
    interval,
    '--rows-interval',
    rows,
    '--report',
  ];
  const box = spawn(procBox, [...options, '--', bench.probe, 'tree', String(PROCESSES)], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(box, 'exit');
  const [word] = await Promise.race([once(box.stdout, 'data') as Promise<unknown[]>, ended]);
  if (!String(word).includes('ready')) throw new Error(`the box ended before its tree was complete: ${word}`);
  await new Promise((resolve) => setTimeout(resolve, 2000)); // wait for the first samples and the work after a launch
  const pids = [box.pid as number, ...childrenOf(box.pid as number)];
  const cpu = () => pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  const before = cpu();
  await new Promise((resolve) => setTimeout(resolve, samples * INTERVAL_MS));
  const cost = cpu() - before;
  box.stdin.end();
  await ended;
  return cost;
}
