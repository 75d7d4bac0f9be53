import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { connectBroker } from '../src/amqp/index.js';
import { createLogger } from '../src/log.js';
import * as spool from '../src/spool/index.js';
import { fakeBox, sample, specFor, until } from '../test/fixtures/broker.js';
import { tcpProxy } from '../test/fixtures/tcp-proxy.js';
import { type Bench, Cleanup, median, type Row } from './measure.js';

const SAMPLES = 20_000;
const TARGET_PER_SECOND = 5_000;
/** About the size of a small job's sample. */
const BODY_BYTES = 2_000;
/** Samples in memory if the rest is in the spool. */
const LITTLE = 1_000;

/** How fast the outbox empties into a durable queue when the broker is back, and whether the order is kept. */
export async function drain(bench: Bench): Promise<Row[]> {
  return [await row(bench, false), await row(bench, true)];
}

async function row(bench: Bench, spooled: boolean): Promise<Row> {
  const rounds = bench.rounds(5);
  const rates: number[] = [];
  let disorder = 0;
  for (let round = 0; round < rounds; round++) {
    const { perSecond, arrived } = await once(bench, spooled);
    rates.push(perSecond);
    if (arrived.length !== SAMPLES || arrived.some((id, index) => id !== `b-${index + 1}`)) disorder++;
  }
  const perSecond = median(rates);
  const where = spooled ? `, ${LITTLE} of them in memory and the rest in the spool` : '';
  return {
    figure: `outbox drained after an outage, ${SAMPLES} samples of ${BODY_BYTES} bytes, persistent, confirmed${where}`,
    measured: `${Math.round(perSecond)} samples/s`,
    reference: `worst of ${rounds}: ${Math.round(Math.min(...rates))}/s; rounds with one lost or out of order: ${disorder}`,
    target: `at least ${TARGET_PER_SECOND}/s, in order`,
    pass: perSecond >= TARGET_PER_SECOND && disorder === 0,
  };
}

async function once({ brokerUri }: Bench, spooled: boolean): Promise<{ perSecond: number; arrived: string[] }> {
  await using cleanup = new Cleanup();
  const proxy = await tcpProxy(
    { teardown: (end) => cleanup.defer(async () => end()) },
    Number(new URL(brokerUri).port),
  );
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-bench-'));
  cleanup.defer(async () => rmSync(folder, { recursive: true }));
  const spec = specFor(proxy.uriOf(brokerUri), {
    messageTimeoutMs: 0,
    ...(spooled
      ? { outboxMaxMessages: LITTLE, spoolDir: folder, spoolMaxBytes: 2 ** 30, spoolMaxAgeMs: Date.now() }
      : { outboxMaxMessages: SAMPLES + 1 }),
  });
  const connection = await connect(brokerUri);
  cleanup.defer(() => connection.close());
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { durable: true });
  await channel.bindQueue(queue, 'amq.topic', `${spec.statsKey}.#`);
  const link = connectBroker(spec, fakeBox(), createLogger('error'), undefined, () => spool);
  cleanup.defer(() => link.close(0));
  await until(() => link.state().statistics.state === 'up', 'connected');
  await proxy.down();
  const body = JSON.stringify({ filler: 'x'.repeat(BODY_BYTES - 13) });
  for (let n = 1; n <= SAMPLES; n++) {
    link.publish(sample('b', n, body));
    // No box publishes faster than the disk takes its samples.
    const isWritten = () => link.state().outbox.bytes < LITTLE * BODY_BYTES * 0.75;
    if (spooled && n % 100 === 0) await until(isWritten, 'the disk has them');
  }
  await until(() => link.state().statistics.state !== 'up', 'the outage is noticed');
  await proxy.up();
  await until(() => link.state().statistics.state === 'up', 'connected again');
  const sinceMs = performance.now();
  await until(() => link.state().outbox.messages === 0, 'drained');
  const perSecond = (SAMPLES * 1000) / (performance.now() - sinceMs);

  const arrived = new Set<string>();
  const { messageCount } = await channel.checkQueue(queue);
  let received = 0;
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      received++;
      arrived.add(String(message.properties.messageId));
    },
    { noAck: true },
  );
  await until(() => received >= messageCount, 'all are received');
  await channel.deleteQueue(queue);
  return { perSecond, arrived: [...arrived] };
}
