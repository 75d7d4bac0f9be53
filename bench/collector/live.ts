import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import { type CollectorProcess, startCollector } from '../../test/fixtures/collector.js';
import type { Bench, Cleanup } from '../measure.js';
import { Load } from './load.js';

const SAMPLES_PER_BOX = 4;

/** A collector that knows so many live boxes, until the clean-up. */
export async function startLive(
  bench: Bench,
  cleanup: Cleanup,
  boxes: number,
): Promise<{ readonly collector: CollectorProcess; readonly load: Load }> {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-bench-'));
  cleanup.defer(async () => rmSync(folder, { recursive: true }));
  const queue = `bench-live-${process.pid}`;
  const connection = await amqp.connect(bench.brokerUri);
  cleanup.defer(() => connection.close());
  const channel = await connection.createChannel();
  cleanup.defer(async () => void (await channel.deleteQueue(queue)));
  const collector = await startCollector({ uri: bench.brokerUri, store: folder, words: ['--queue', queue] });
  cleanup.defer(async () => void (await collector.end('SIGTERM')));
  const load = await Load.connect(bench.brokerUri, boxes);
  cleanup.defer(() => load.close());
  const samples = boxes * SAMPLES_PER_BOX;
  await load.publish(samples);
  while ((await collector.metric('proc_box_collector_samples_total')) < samples)
    await new Promise((resolve) => setTimeout(resolve, 500));
  return { collector, load };
}
