import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, ms, procBox, type Row } from '../measure.js';
import { Boxes, startAgent, until } from './start.js';

const BOXES = 1_000;
const LIMITED = 20;
const LIMIT_MS = 3_000;
const REATTACH_MS = 5_000;
const LATE_MS = 1_000;

/** SIGKILL to an agent with many boxes: when all are with the next agent, and when time limits end jobs in between. */
export async function agentRestart(bench: Bench): Promise<Row[]> {
  const socket = join(bench.folder, 'restarted');
  const first = await startAgent(bench, bench.brokerUri, socket);
  await using boxes = new Boxes();
  const count = bench.rounds(BOXES);
  await boxes.start(first, count, ['-sint', '30s', '--timeout', '1h']);
  const limited = Array.from({ length: LIMITED }, () => lateMs(first.options));
  await sleep(LIMIT_MS / 2);
  await first.kill('SIGKILL');
  const late = await Promise.all(limited);
  const startedMs = performance.now();
  await using next = await startAgent(bench, bench.brokerUri, socket);
  const readyMs = performance.now() - startedMs;
  await until(async () => (await next.status()).boxes >= count, 20);
  await until(async () => (await next.running()) >= count, 200);
  const allMs = performance.now() - startedMs;
  return [
    {
      figure: `agent killed with ${count} boxes: all with the next one after its start`,
      measured: ms(allMs),
      reference: `connected to the broker after ${ms(readyMs)}`,
      target: `at most ${REATTACH_MS} ms`,
      pass: allMs <= REATTACH_MS,
    },
    {
      figure: 'time limits without an agent: late by',
      measured: ms(Math.max(...late)),
      reference: `worst of ${LIMITED} boxes of ${LIMIT_MS} ms`,
      target: `at most ${LATE_MS} ms`,
      pass: Math.max(...late) <= LATE_MS,
    },
  ];
}

/** How long after its time limit a box has ended. */
async function lateMs(options: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const box = spawn(procBox, [...options, '--timeout', `${LIMIT_MS}ms`, '--flush', '0', '--', 'sleep', '600'], {
    stdio: 'ignore',
  });
  const [code] = (await once(box, 'exit')) as [number | null];
  if (code !== 124) throw new Error(`a box with a time limit has ended with ${code}`);
  return performance.now() - startedMs - LIMIT_MS;
}
