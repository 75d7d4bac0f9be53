import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import { startCollector } from '../../test/fixtures/collector.js';
import { startPostgres } from '../../test/fixtures/postgres.js';
import { type Bench, Cleanup, type Row } from '../measure.js';
import { Load } from './load.js';

/** How many samples a collector on one core takes from a queue into its store. */

const SAMPLES = 60_000;
const BOXES = 2_000;
const TARGETS = { sqlite: 5_000, postgres: 3_000 };

export async function collectorThroughput(bench: Bench): Promise<Row[]> {
  await using cleanup = new Cleanup();
  const rows = [await row(bench, 'sqlite', undefined)];
  const postgres = await startPostgres();
  if (postgres !== null) {
    cleanup.defer(() => postgres.stop());
    rows.push(await row(bench, 'postgres', postgres.uri));
  }
  return rows;
}

async function row(bench: Bench, kind: keyof typeof TARGETS, uri: string | undefined): Promise<Row> {
  await using cleanup = new Cleanup();
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-bench-'));
  cleanup.defer(async () => rmSync(folder, { recursive: true }));
  const samples = bench.rounds(10) * (SAMPLES / 10);
  const queue = `bench-collector-${kind}-${process.pid}`;
  const connection = await amqp.connect(bench.brokerUri);
  cleanup.defer(() => connection.close());
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, 'amq.topic', 'proc_box.stats.#');
  cleanup.defer(async () => void (await channel.deleteQueue(queue)));
  const load = await Load.connect(bench.brokerUri, BOXES);
  cleanup.defer(() => load.close());
  await load.publish(samples);
  const collector = await startCollector({
    uri: bench.brokerUri,
    store: uri ?? folder,
    words: ['--queue', queue],
    through: ['taskset', '-c', '1'],
  });
  cleanup.defer(async () => void (await collector.end('SIGTERM')));
  const began = performance.now();
  const cpuBefore = await collector.metric('proc_box_collector_process_cpu_seconds_total');
  const before = await collector.metric('proc_box_collector_samples_total');
  let taken = before;
  while (taken < samples) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    taken = await collector.metric('proc_box_collector_samples_total');
  }
  const seconds = (performance.now() - began) / 1e3;
  const cpuSeconds = (await collector.metric('proc_box_collector_process_cpu_seconds_total')) - cpuBefore;
  const perSecond = (samples - before) / seconds;
  const perCore = (samples - before) / cpuSeconds;
  const bytes = await collector.metric('proc_box_collector_store_bytes');
  const memory = await collector.metric('proc_box_collector_process_resident_memory_bytes');
  return {
    figure: `collector, ${samples} samples of ${BOXES} boxes into ${kind}, on one core`,
    measured: `${Math.round(perSecond)} samples/s`,
    reference: `${Math.round(perCore)} samples for each second of CPU time; store ${Math.round(bytes / samples)} bytes a sample; memory ${Math.round(memory / 1e6)} MB`,
    target: `at least ${TARGETS[kind]}/s`,
    pass: perSecond >= TARGETS[kind],
  };
}
