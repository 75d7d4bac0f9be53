import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, kilobyteField, median, mib, type Row } from '../measure.js';
import { Boxes, helpersOf, privateBytes, startAgent } from './start.js';

const MB = 1e6;
const HELPERS_BYTES = 1.5 * MB;
const AGENT_BYTES = 60 * MB;
const BOX_BYTES = 0.15 * MB;
const SETTLE_MS = 3_000;

/** Private memory of a box's own processes, and resident memory of the agent with 0, 128 and 1,000 boxes. */
export async function agentMemory(bench: Bench): Promise<Row[]> {
  await using agent = await startAgent(bench, bench.brokerUri);
  await using boxes = new Boxes();
  const rows: Row[] = [];
  for (const count of [0, 128, bench.rounds(1_000)]) {
    await boxes.start(agent, count - boxes.fronts.length, ['-sint', '30s']);
    await sleep(SETTLE_MS);
    const bytes = kilobyteField(agent.pid, 'smaps_rollup', 'Rss');
    const mostBytes = AGENT_BYTES + count * BOX_BYTES;
    rows.push({
      figure: `agent with ${count} boxes, resident`,
      measured: `${(bytes / MB).toFixed(1)} MB`,
      reference: `private: ${(privateBytes(agent.pid) / MB).toFixed(1)} MB`,
      target: `at most ${(mostBytes / MB).toFixed(0)} MB`,
      pass: bytes <= mostBytes,
    });
  }
  const some = boxes.fronts.slice(0, 20).map(({ pid }) => {
    const all = [pid as number, ...helpersOf(pid as number)];
    return all.reduce((sum, one) => sum + privateBytes(one), 0);
  });
  rows.push({
    figure: 'front end, guard and keeper, private',
    measured: mib(median(some)),
    reference: `most of 20: ${mib(Math.max(...some))}`,
    target: `at most ${mib(HELPERS_BYTES)}`,
    pass: Math.max(...some) <= HELPERS_BYTES,
  });
  return rows;
}
