import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askAgent } from '../../src/agent/ask.js';
import { type Bench, childrenOf, kilobyteField, procBox } from '../measure.js';

/** An agent of our own, on a socket of its own. */
export interface BenchAgent extends AsyncDisposable {
  /** Options that send a box to it. */
  readonly options: readonly string[];
  /** Node. */
  readonly pid: number;
  status(): Promise<{ readonly boxes: number }>;
  /** The boxes whose job runs. */
  running(): Promise<number>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

const READY_MS = 20_000;
let count = 0;

/** @param socket @default a new one */
export async function startAgent(bench: Bench, uri: string, socket?: string): Promise<BenchAgent> {
  const path = socket ?? join(bench.folder, `agent-${count++}`);
  const front = spawn(procBox, ['agent', '--user', '--socket', path, '--config', 'none', '--uri', uri], {
    stdio: ['ignore', 'ignore', process.env['BENCH_AGENT_LOG'] ? 'inherit' : 'ignore'],
  });
  const ended = once(front, 'exit');
  await answering(path, uri !== 'none');
  const pid = nodeOf(front);
  return {
    options: ['--agent', path, '--config', 'none'],
    pid,
    status: () => askAgent(path, 'status') as Promise<{ boxes: number }>,
    running: async () => ((await askAgent(path, 'list')) as unknown[]).length,
    async kill(signal) {
      process.kill(pid, signal);
      await ended;
    },
    async [Symbol.asyncDispose]() {
      if (front.exitCode === null && front.signalCode === null) process.kill(pid, 'SIGTERM');
      await ended;
    },
  };
}

/** Waits until the agent answers, and its link is up if it has a broker. */
async function answering(path: string, linked: boolean): Promise<void> {
  for (const until = performance.now() + READY_MS; ; await sleep(5)) {
    try {
      const { broker } = (await askAgent(path, 'status')) as { broker?: Record<string, { state?: string }> };
      const isUp = ['control', 'statistics'].every((link) => broker?.[link]?.state === 'up');
      if (!linked || isUp) return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    if (performance.now() > until) throw new Error('the agent has no link to the broker');
  }
}

function nodeOf(front: ChildProcess): number {
  const node = childrenOf(front.pid as number).find((pid) => kilobyteField(pid, 'status', 'VmRSS') > 20 * 2 ** 20);
  if (node === undefined) throw new Error('the agent has no Node among its children');
  return node;
}

/** @throws Error after 30 s, as a box that has got no agent never comes */
export async function until(holds: () => Promise<boolean>, everyMs = 2): Promise<void> {
  for (const endMs = performance.now() + 30_000; !(await holds()); await sleep(everyMs))
    if (performance.now() > endMs) throw new Error('the agent does not have all boxes after 30 s');
}

/** Boxes that run until they are ended, started so many at a time. */
export class Boxes implements AsyncDisposable {
  readonly fronts: ChildProcess[] = [];
  readonly #ends: Promise<unknown>[] = [];

  async start(agent: BenchAgent, number: number, options: readonly string[] = [], atOnce = 10): Promise<void> {
    const before = await agent.running();
    for (let started = 0; started < number; started += atOnce) {
      for (let i = 0; i < Math.min(atOnce, number - started); i++) this.#start([...agent.options, ...options]);
      await until(async () => (await agent.status()).boxes >= before + Math.min(started + atOnce, number));
    }
    await until(async () => (await agent.running()) >= before + number, 200);
  }

  #start(options: readonly string[]): void {
    const front = spawn(procBox, [...options, '--', 'sleep', '600'], { stdio: 'ignore' });
    this.#ends.push(once(front, 'exit'));
    this.fronts.push(front);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const front of this.fronts) front.kill('SIGTERM');
    await Promise.all(this.#ends);
  }
}

/** The guards and keepers below a front end, without the job. */
export function helpersOf(front: number): number[] {
  const [guard] = childrenOf(front) as [number];
  const [keeper] = childrenOf(guard) as [number];
  return [guard, keeper];
}

/** Memory that a process shares with no other, in bytes. */
export function privateBytes(pid: number): number {
  return kilobyteField(pid, 'smaps_rollup', 'Private_Clean') + kilobyteField(pid, 'smaps_rollup', 'Private_Dirty');
}
