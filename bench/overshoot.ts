import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, childrenOf, cpuMsOf, median, mib, procBox, type Row, root } from './measure.js';

const MIB = 2 ** 20;
const ALLOCATE = join(root, 'test', 'fixtures', 'jobs', 'allocate.py');
const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
const OPTIONS = ['-uri', 'none', '--config', 'none', '--report', '-sint', '0'];
/** At 1 GB/s the last one is exceeded just after a look. */
const LIMITS_MIB = [64, 128, 192, 224];
const ROUNDS = 8;
/** The kernel charges tasks in batches of 64 pages per CPU. */
const BATCH_BYTES = 64 * 4096;
const IDLE_MS = 10_000;

/** How far a job exceeds its memory limit, held by the kernel or by sampling, and the cost of sampling. */
export async function overshoot(bench: Bench): Promise<Row[]> {
  return [heldByKernel(bench), ...heldBySampling(bench), await costOfSampling(bench)];
}

function heldByKernel(bench: Bench): Row {
  const peaks: number[] = [];
  for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
    // The shell survives its child and prints the peak that the kernel has counted.
    const command = ['sh', '-c', `"$@" 2>/dev/null || :; ${PEAK}`, 'sh', PYTHON, '-S', ALLOCATE, '512'];
    const { stdout } = box(['--memory', '64M', '--oom-group=false'], command);
    peaks.push(Number(stdout.trim()) - 64 * MIB);
  }
  const worst = Math.max(...peaks);
  return {
    figure: 'beyond --memory 64M, as fast as it can, control group',
    measured: mib(worst),
    reference: `worst of ${peaks.length}`,
    target: 'at most one batch of pages',
    pass: worst <= BATCH_BYTES,
  };
}

/** Prints memory.max_usage_in_bytes under v1, memory.peak under v2. */
const PEAK = `g=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
cat /sys/fs/cgroup/memory$g/memory.max_usage_in_bytes 2>/dev/null || cat /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/memory.peak`;

function heldBySampling(bench: Bench): Row[] {
  return [1000, 0].map((rate) => {
    const beyond: number[] = [];
    const reaction: number[] = [];
    for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
      const limit = LIMITS_MIB[round % LIMITS_MIB.length] as number;
      const { stderr } = box(
        ['--memory', `${limit}M`, '--cgroup', 'off'],
        [PYTHON, '-S', ALLOCATE, '8192', ...(rate > 0 ? [String(rate)] : [])],
      );
      const [, value, unit] = /largest process ([\d.]+) ([KMG])iB/.exec(stderr) ?? [];
      const peak = Number(value) * 1024 ** ({ K: 1, M: 2, G: 3 }[unit as 'K' | 'M' | 'G'] ?? Number.NaN);
      beyond.push(peak - limit * MIB);
      if (rate > 0) reaction.push((peak - limit * MIB) / (rate * 1000));
    }
    const worst = Math.max(...beyond);
    return {
      figure: `beyond --memory, ${rate > 0 ? '1 GB/s' : 'as fast as it can'}, sampling`,
      measured: mib(worst),
      reference: `median ${mib(median(beyond))}${rate > 0 ? `; reaction at most ${Math.round(Math.max(...reaction))} ms` : ''}`,
      ...(rate > 0 && { target: 'at most 300 MB', pass: worst <= 300e6 }),
    };
  });
}

async function costOfSampling(bench: Bench): Promise<Row> {
  const idleMs = bench.rounds(IDLE_MS);
  const bare = await cpuShare([], idleMs);
  const watched = await cpuShare(['--memory', '1G'], idleMs);
  return {
    figure: 'watchdog of memory, share of a core',
    measured: `${((watched - bare) * 100).toFixed(2)} %`,
    reference: `box without: ${(bare * 100).toFixed(2)} %`,
    target: 'at most 0.5 %',
    pass: watched - bare <= 0.005,
  };
}

async function cpuShare(limits: readonly string[], ms: number): Promise<number> {
  const running = spawn(
    procBox,
    [...OPTIONS, ...limits, '--cgroup', 'off', '--', 'sh', '-c', 'sleep 1000 & sleep 1000 & sleep 1000'],
    { stdio: 'ignore' },
  );
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const pids = [running.pid as number, ...childrenOf(running.pid as number)];
  const cpu = () => pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  const before = cpu();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const share = (cpu() - before) / ms;
  const ended = once(running, 'exit');
  running.kill('SIGTERM');
  await ended;
  return share;
}

function box(options: readonly string[], command: readonly string[]) {
  return spawnSync(procBox, [...OPTIONS, ...options, '--', ...command], { encoding: 'utf8', timeout: 60_000 });
}
