import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { hostname, hostSample, Keeper, launchKeeper, monotonicMs } from 'cgroup-utils-native';
import { noCgroup } from '../src/cgroup/none.js';
import type { SampleBox } from '../src/cgroup/read-usage.js';
import { hostFacts } from '../src/kernel/host.js';
import { boxPressure } from '../src/kernel/pressure.js';
import { createSampler, type Sampler } from '../src/stats/sampler.js';
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

/**
 * CPU time of one sample, from walking the tree to the JSON text. For comparison, the total for a box: wrapper and keeper with
 * timer, the keeper's answer, publishing and the broker's confirm. The figure `idle` limits that total.
 */
export async function sample(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { processes, targetMs } of TREES) {
    const alone = await aloneMs(bench, processes);
    const whole = await inBoxMs(bench, processes);
    rows.push({
      figure: `one sample, ${processes} ${processes === 1 ? 'process' : 'processes'}, CPU`,
      measured: ms(alone),
      reference: `in a box, published: ${ms(whole)}`,
      target: `at most ${targetMs} ms`,
      pass: alone <= targetMs,
    });
  }
  return rows;
}

/** CPU time of this process and of the keeper. */
async function aloneMs(bench: Bench, processes: number): Promise<number> {
  const { keeper, pid } = await treeOf(bench, processes);
  let keeperUsec = 0;
  const sampler = samplerOf(pid, async (options) => {
    const raw = await keeper.sample(options);
    keeperUsec += raw.costUsec;
    return raw;
  });
  const costs: number[] = [];
  for (let i = 0; i < bench.rounds(WALKS); i += 1) {
    const before = process.cpuUsage();
    keeperUsec = 0;
    const { sample } = await sampler.take('interval');
    const { user, system } = process.cpuUsage(before);
    if (sample.Counts.processes < processes)
      throw new Error(`${sample.Counts.processes} of ${processes} processes seen`);
    costs.push((user + system + keeperUsec) / 1000);
  }
  keeper.finish();
  return median(costs);
}

/** The tree ends at the end of its stdin, which is a pipe that both of its ends keep open. */
const STAY = 'f=$(mktemp -u) && mkfifo "$f" && exec 0<>"$f" && rm "$f" && exec "$0" tree "$1" >/dev/null';

/** A job of that many processes. */
async function treeOf(bench: Bench, processes: number): Promise<{ keeper: Keeper; pid: number }> {
  const noGroup = { forkInto: null, tasks: [], freezer: null, killFile: null };
  const words = ['sh', '-c', STAY, bench.probe, String(processes)];
  const socket = launchKeeper(procBox, words, ['PATH=/usr/bin:/bin']);
  let keeper!: Keeper;
  const pid = await new Promise<number>((resolve, reject) => {
    keeper = new Keeper(socket, (event) => {
      if (event.type === 'hello') keeper.start({ commandIndex: 1, rlimits: [], cgroup: noGroup, stdoutMaxBytes: 0 });
      if (event.type === 'started') resolve(event.pid);
      if (event.type === 'failed') reject(new Error(`${event.step}: ${event.code}`));
    });
  });
  while (((await keeper.sample({ walk: true })).tree?.pids.length ?? 0) < processes) await delay(20);
  return { keeper, pid };
}

function samplerOf(pid: number, sample: SampleBox): Sampler {
  let sequence = 0;
  const place = {
    scheduler: 'none',
    cluster: null,
    job: 'bench',
    step: null,
    task: null,
    restart: 0,
    node: null,
    queue: null,
  } as const;
  return createSampler({
    identity: { ...place, user: 'bench', host: hostname(), box: 'bench' },
    pid,
    stdoutMode: 'other',
    userData: null,
    rows: 5,
    startedMs: monotonicMs(),
    pss: false,
    cgroup: noCgroup('the walk is what is measured'),
    rowsIntervalMs: 0,
    log: { warn: console.error },
    sample,
    status: () => ({
      state: 'running',
      timer: { running: true, elapsed_ms: 0, remaining_ms: null, limit_ms: null },
      limits: {},
      near: {},
      dropped: 0,
    }),
    hostFacts: () => hostFacts(hostname()),
    hostSample,
    pressure: boxPressure(null),
    sequence: () => (sequence += 1),
    emit: () => {},
    monotonicMs,
  });
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

/** @throws Error if the tree ends before it is complete */
async function ready(child: ChildProcess): Promise<void> {
  const said = once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data') as Promise<[Buffer]>;
  const [word] = await Promise.race([said, once(child, 'exit')]);
  if (!String(word).includes('ready')) throw new Error(`probe tree ended before it was ready: ${word}`);
}

async function end(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
