import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, cpuMsOf, ms, type Row } from '../measure.js';
import { Boxes, helpersOf, startAgent } from './start.js';

const BOXES = 100;
const SECONDS = 30;
const BUSY_MS_PER_SEC = 100;
/** Of one core. */
const IDLE_PART = 0.001;

/** CPU time of an agent with its boxes at one sample per second, and of an agent without boxes. */
export async function agentCpu(bench: Bench): Promise<Row[]> {
  await using agent = await startAgent(bench, bench.brokerUri);
  const seconds = bench.rounds(SECONDS);
  await sleep(2_000);
  const idleMs = await spent([agent.pid], seconds);
  await using boxes = new Boxes();
  await boxes.start(agent, BOXES, ['-sint', '1s']);
  const helpers = boxes.fronts.flatMap(({ pid }) => [pid as number, ...helpersOf(pid as number)]);
  const before = cpuMsOf(agent.pid);
  const allMs = await spent([agent.pid, ...helpers], seconds);
  const agentMs = cpuMsOf(agent.pid) - before;
  return [
    {
      figure: `CPU of ${BOXES} boxes at 1 sample/s in ${seconds} s`,
      measured: ms(allMs),
      reference: `agent: ${ms(agentMs)}; front ends, guards and keepers: ${ms(allMs - agentMs)}`,
      target: `at most ${BUSY_MS_PER_SEC * seconds} ms`,
      pass: allMs <= BUSY_MS_PER_SEC * seconds,
    },
    {
      figure: 'idle agent, of a core',
      measured: `${(idleMs / seconds / 10).toFixed(3)} %`,
      reference: `${ms(idleMs)} in ${seconds} s, connected`,
      target: `at most ${IDLE_PART * 100} %`,
      pass: idleMs <= IDLE_PART * seconds * 1_000,
    },
  ];
}

async function spent(pids: readonly number[], seconds: number): Promise<number> {
  const sum = () => pids.reduce((all, pid) => all + cpuMsOf(pid), 0);
  const before = sum();
  await sleep(seconds * 1_000);
  return sum() - before;
}
