import { type Bench, Cleanup, median, type Row } from '../measure.js';
import { startLive } from './live.js';

/** What 40,000 live boxes cost a collector, and how soon a part of the table is there. */

const BOXES = 40_000;
const TARGET_MB = 400;

export async function collectorMemory(bench: Bench): Promise<Row[]> {
  await using cleanup = new Cleanup();
  const { collector } = await startLive(bench, cleanup, BOXES);
  const memoryMb = (await collector.metric('proc_box_collector_process_resident_memory_bytes')) / 1e6;
  const pageMs: number[] = [];
  for (let round = 0; round < bench.rounds(10); round++) {
    const asked = performance.now();
    await collector.get(`/boxes?sort=-cpu_percent&limit=100&offset=${round}`);
    pageMs.push(performance.now() - asked);
  }
  return [
    {
      figure: `collector with ${BOXES} live boxes: memory`,
      measured: `${Math.round(memoryMb)} MB`,
      reference: `a part of 100 rows of the table: ${Math.round(median(pageMs))} ms`,
      target: `at most ${TARGET_MB} MB`,
      pass: memoryMb <= TARGET_MB,
    },
  ];
}
