import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { connectBroker } from '../src/amqp/index.js';
import { createLogger } from '../src/log.js';
import { fakeBox, sample, specFor, until } from '../test/fixtures/broker.js';
import { type Bench, Cleanup, median, ms, type Row } from './measure.js';

const PINGS = 300;
const LOAD_PER_SECOND = 1_000;
const BODY = JSON.stringify({ filler: 'x'.repeat(2_000) });
const TARGET_MS = 20;

/** Time from publishing a command to its answer, with the same box publishing 1,000 samples per second, and without. */
export async function controlLatency({ brokerUri, rounds }: Bench): Promise<Row[]> {
  const spec = specFor(brokerUri);
  const link = connectBroker(spec, fakeBox(), createLogger('error'));
  await using cleanup = new Cleanup();
  cleanup.defer(async () => void (await link.close(1_000)));
  await until(() => link.state().control.state === 'up' && link.state().statistics.state === 'up', 'connected');
  const connection = await connect(brokerUri, { noDelay: true });
  cleanup.defer(() => connection.close());
  const channel = await connection.createChannel();
  let answered = () => {};
  await channel.consume('amq.rabbitmq.reply-to', () => answered(), { noAck: true });
  const ping = async () => {
    const sinceMs = performance.now();
    const answer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    channel.publish('amq.topic', spec.routingKeys[0] as string, Buffer.from('{"command":"ping"}'), {
      replyTo: 'amq.rabbitmq.reply-to',
      messageId: randomUUID(),
    });
    await answer;
    return performance.now() - sinceMs;
  };
  const measure = async () => {
    const values: number[] = [];
    // Random pauses, so that the pings are not in step with the load.
    for (let n = 0; n < rounds(PINGS); n++) {
      values.push(await ping());
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    }
    return values.sort((a, b) => a - b);
  };
  await measure();
  const idle = await measure();
  const startedMs = performance.now();
  let published = 0;
  const load = setInterval(() => {
    for (const due = ((performance.now() - startedMs) * LOAD_PER_SECOND) / 1000; published < due; published++) {
      link.publish(sample('b', published + 1, BODY));
    }
  }, 1);
  const loaded = await measure();
  clearInterval(load);
  const perSecond = (published * 1000) / (performance.now() - startedMs);
  const at = (values: number[], part: number) => values[Math.floor((values.length - 1) * part)] as number;
  return [
    {
      figure: `command to answer at ${Math.round(perSecond)} samples/s of the same box, median of ${loaded.length}`,
      measured: ms(median(loaded)),
      reference: `95 of 100 within ${ms(at(loaded, 0.95))}, worst ${ms(at(loaded, 1))}; without load ${ms(median(idle))}, ${ms(at(idle, 0.95))}`,
      ratio: median(loaded) / median(idle),
      target: `95 of 100 within ${TARGET_MS} ms, or twice that without load`,
      pass: at(loaded, 0.95) <= Math.max(TARGET_MS, 2 * at(idle, 0.95)) && perSecond > LOAD_PER_SECOND * 0.95,
    },
  ];
}
