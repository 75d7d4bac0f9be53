import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import { startCollector } from '../../test/fixtures/collector.js';
import { type Bench, Cleanup, median, type Row } from '../measure.js';
import { Load } from './load.js';

/** What 40,000 live boxes cost a collector, and how soon a sample shows and a part of the table is there. */

const BOXES = 40_000;
const SAMPLES_PER_BOX = 4;
const TARGET_MB = 400;
const TARGET_SHOWN_MS = 2_000;

export async function collectorMemory(bench: Bench): Promise<Row[]> {
  await using cleanup = new Cleanup();
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-bench-'));
  cleanup.defer(async () => rmSync(folder, { recursive: true }));
  const queue = `bench-memory-${process.pid}`;
  const connection = await amqp.connect(bench.brokerUri);
  cleanup.defer(() => connection.close());
  const channel = await connection.createChannel();
  cleanup.defer(async () => void (await channel.deleteQueue(queue)));
  const collector = await startCollector({ uri: bench.brokerUri, store: folder, words: ['--queue', queue] });
  cleanup.defer(async () => void (await collector.end('SIGTERM')));
  const load = await Load.connect(bench.brokerUri, BOXES);
  cleanup.defer(() => load.close());
  const samples = BOXES * SAMPLES_PER_BOX;
  await load.publish(samples);
  while ((await collector.metric('proc_box_collector_samples_total')) < samples)
    await new Promise((resolve) => setTimeout(resolve, 500));
  const memoryMb = (await collector.metric('proc_box_collector_process_resident_memory_bytes')) / 1e6;
  const pageMs: number[] = [];
  const shownMs: number[] = [];
  for (let round = 0; round < bench.rounds(10); round++) {
    const asked = performance.now();
    await collector.get(`/boxes?sort=-cpu_percent&limit=100&offset=${round}`);
    pageMs.push(performance.now() - asked);
    const before = await collector.metric('proc_box_collector_samples_total');
    const sent = performance.now();
    await load.publish(1);
    while ((await collector.metric('proc_box_collector_samples_total')) <= before)
      await new Promise((resolve) => setTimeout(resolve, 10));
    shownMs.push(performance.now() - sent);
  }
  return [
    {
      figure: `collector with ${BOXES} live boxes: memory`,
      measured: `${Math.round(memoryMb)} MB`,
      reference: `a part of 100 rows of the table: ${Math.round(median(pageMs))} ms`,
      target: `at most ${TARGET_MB} MB`,
      pass: memoryMb <= TARGET_MB,
    },
    {
      // A page gets changes once a second.
      figure: `sample published to page, ${BOXES} live boxes`,
      measured: `${Math.round(median(shownMs) + 1_000)} ms at most`,
      reference: `${Math.round(median(shownMs))} ms to the live table, and up to 1 s to the next event of the stream`,
      target: `at most ${TARGET_SHOWN_MS} ms`,
      pass: median(shownMs) + 1_000 <= TARGET_SHOWN_MS,
    },
  ];
}
