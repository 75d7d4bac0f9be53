import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import type { BoxView, Series } from '../../src/observe/model/api.js';
import { type CollectorProcess, startCollector } from '../../test/fixtures/collector.js';
import { type Bench, Cleanup, type Row } from '../measure.js';
import { Load } from './load.js';

/** A collector that is killed again and again while samples come: each message must be in the store once. */

const KILLS = 20;
const BOXES = 200;
const SAMPLES_PER_SECOND = 2_000;
const BETWEEN_MS = 1_500;

export async function collectorChaos(bench: Bench): Promise<Row[]> {
  await using cleanup = new Cleanup();
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-bench-'));
  cleanup.defer(async () => rmSync(folder, { recursive: true }));
  const queue = `bench-chaos-${process.pid}`;
  const connection = await amqp.connect(bench.brokerUri);
  cleanup.defer(() => connection.close());
  const channel = await connection.createChannel();
  cleanup.defer(async () => void (await channel.deleteQueue(queue)));
  const options = { uri: bench.brokerUri, store: folder, words: ['--queue', queue, '--resolution', '0s'] };
  let collector = await startCollector(options);
  cleanup.defer(async () => void (await collector.end('SIGKILL')));
  const load = await Load.connect(bench.brokerUri, BOXES);
  cleanup.defer(() => load.close());
  const kills = bench.rounds(KILLS);
  let isOver = false;
  const began = performance.now();
  let published = 0;
  const publishing = (async () => {
    while (!isOver) {
      await load.publish(SAMPLES_PER_SECOND / 10);
      published += SAMPLES_PER_SECOND / 10;
      const aheadMs = (published / SAMPLES_PER_SECOND) * 1e3 - (performance.now() - began);
      if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
  })();
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS * (0.3 + Math.random())));
    await collector.end('SIGKILL');
    collector = await startCollector(options);
  }
  isOver = true;
  await publishing;
  const seconds = (performance.now() - began) / 1e3;
  const { lost, twice } = await compare(collector, load, published);
  return [
    {
      figure: `collector killed ${kills} times, ${published} samples of ${BOXES} boxes`,
      measured: `lost ${lost}, counted twice ${twice}`,
      reference: `${Math.round(published / seconds)} samples/s published; the last collector saw ${await collector.metric('proc_box_collector_duplicate_messages_total')} again`,
      target: `none, at ${SAMPLES_PER_SECOND}/s`,
      pass: lost === 0 && twice === 0,
    },
  ];
}

/** Waits until every box has its last message, and counts what is in the store: by the box's own count, and by its time line. */
async function compare(
  collector: CollectorProcess,
  load: Load,
  published: number,
): Promise<{ lost: number; twice: number }> {
  const deadline = performance.now() + 60_000;
  let [lost, twice] = [0, 0];
  for (const [box, count] of load.published) {
    let view = await collector.get<BoxView>(`/boxes/${box}`);
    while (view.samples < count && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      view = await collector.get<BoxView>(`/boxes/${box}`);
    }
    const { sequence } = await collector.get<Series>(`/boxes/${box}/series?points=5000`);
    const distinct = new Set(sequence).size;
    lost += Math.max(0, count - view.samples) + (count <= 5_000 ? Math.max(0, count - distinct) : 0) + view.missing;
    twice += Math.max(0, view.samples - count) + (sequence.length - distinct);
  }
  if (published === 0) throw new Error('nothing was published');
  return { lost, twice };
}
