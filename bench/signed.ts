import { join } from 'node:path';
import { connect } from 'amqplib';
import { connectBroker } from '../src/amqp/index.js';
import * as signed from '../src/amqp/signed.js';
import { createLogger } from '../src/log.js';
import type { BoxSpec } from '../src/options/spec.js';
import { fakeBox, specFor, until } from '../test/fixtures/broker.js';
import { newSigner } from '../test/fixtures/signing.js';
import { type Bench, Cleanup, median, ms, type Row } from './measure.js';

const PINGS = 400;
const TARGET_MS = 5;

/** Time that a signature adds from publishing a command to its answer: the same box with and without `--control-auth signed`. */
export async function signedCommands({ brokerUri, folder, rounds }: Bench): Promise<Row[]> {
  const keys = join(folder, 'keys');
  const signer = newSigner(keys, 'bench-1');
  const plain = await pings(brokerUri, rounds(PINGS), {}, () => '{"command":"ping"}');
  const auth = { controlAuth: 'signed', controlKeys: keys } as const;
  const checked = await pings(brokerUri, rounds(PINGS), auth, (id) => {
    const iat = Math.floor(Date.now() / 1000);
    return signer.jws({ command: 'ping', target: {}, iat, exp: iat + 60, jti: id });
  });
  const [cost, before] = [median(checked.latencyMs), median(plain.latencyMs)];
  return [
    {
      figure: 'signed command to its answer, median',
      measured: ms(cost),
      reference: `not signed: ${ms(before)}; CPU per command ${ms(checked.cpuMs)}, not signed ${ms(plain.cpuMs)} (both ends)`,
      ratio: cost / before,
      target: `at most ${TARGET_MS} ms more`,
      pass: cost - before <= TARGET_MS,
    },
  ];
}

/** The commands are made before the clock starts, because signing costs the operator, not the box. */
async function pings(uri: string, count: number, more: Partial<BoxSpec>, body: (id: string) => string) {
  await using cleanup = new Cleanup();
  const spec = specFor(uri, more);
  const link = connectBroker(spec, fakeBox(), createLogger('error'), () => signed);
  cleanup.defer(async () => void (await link.close(1_000)));
  await until(() => link.state().control.state === 'up' && link.state().statistics.state === 'up', 'connected');
  const connection = await connect(uri, { noDelay: true });
  cleanup.defer(() => connection.close());
  const channel = await connection.createChannel();
  let answered = (_text: string) => {};
  await channel.consume('amq.rabbitmq.reply-to', (message) => answered(String(message?.content)), { noAck: true });
  const bodies = Array.from({ length: count + 20 }, (_, index) => Buffer.from(body(`bench-${index}`)));
  const latencyMs: number[] = [];
  let cpu = process.cpuUsage();
  for (const [index, content] of bodies.entries()) {
    if (index === 20) cpu = process.cpuUsage(); // warmed up
    const sinceMs = performance.now();
    const answer = new Promise<string>((resolve) => {
      answered = resolve;
    });
    const replyTo = 'amq.rabbitmq.reply-to';
    channel.publish('amq.topic', spec.routingKeys[0] as string, content, { replyTo, messageId: `m-${index}` });
    const text = await answer;
    if (!text.startsWith('{"ok":true')) throw new Error(text);
    if (index >= 20) latencyMs.push(performance.now() - sinceMs);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { latencyMs, cpuMs: (user + system) / 1000 / count };
}
