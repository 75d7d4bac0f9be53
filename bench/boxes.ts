import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type Bench, procBox, type Row } from './measure.js';

const BOXES = 500;
const AT_ONCE = 10;

/** Control groups left by 500 boxes with limits. The wrapper of every tenth box gets SIGKILL. */
export async function boxes(bench: Bench): Promise<Row[]> {
  const before = groups();
  const count = bench.rounds(BOXES);
  const startedMs = performance.now();
  for (let i = 0; i < count; i += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, lane) => one(lane === 0)));
  const seconds = (performance.now() - startedMs) / 1000;
  const end = performance.now() + 5000;
  while (groups() > before && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  const left = groups() - before;
  return [
    {
      figure: `control groups left by ${count} boxes`,
      measured: String(left),
      reference: `${(count / seconds).toFixed(1)} boxes/s, ${AT_ONCE} at once, every tenth killed by SIGKILL`,
      target: 'nothing',
      pass: left <= 0,
    },
  ];
}

async function one(killed: boolean): Promise<void> {
  const options = ['-uri', 'none', '--config', 'none', '--memory', '256M', '--pids', '100', '--cpus', '2'];
  const box = spawn(procBox, [...options, '--', 'sh', '-c', killed ? 'echo; sleep 100' : 'echo'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(box, 'exit');
  if (killed) {
    await Promise.race([once(box.stdout, 'data'), ended]);
    box.kill('SIGKILL');
  }
  box.stdout.resume();
  await ended;
}

function groups(): number {
  return readdirSync('/sys/fs/cgroup', { recursive: true }).filter((name) =>
    /(^|\/)proc_box-[0-9a-f]+$/.test(String(name)),
  ).length;
}
