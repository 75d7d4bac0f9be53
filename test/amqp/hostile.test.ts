import fc from 'fast-check';
import t, { type Test } from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import { ask, fakeBox, foreignClient, notingLogger, sharedBroker, specFor, until } from '../fixtures/broker.js';

t.setTimeout(120_000);
const RUNS = 10_000;
const uri = await sharedBroker(t);

const valid = fc.constantFrom(
  '{"command":"kill","arguments":["TERM"]}',
  '{"Command":"stop","arguments":["10s",],}',
  '{"command":"ping","target":{"box":"x","host":"y"}}',
);
/** A valid body with some bytes changed, cut or doubled. */
const mutated = fc
  .tuple(valid, fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }), fc.nat(70))
  .map(([text, edits, cut]) => {
    const bytes = Buffer.from(text);
    for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
    return bytes.subarray(0, cut);
  });
const body = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
  fc
    .record({
      command: fc.oneof(fc.string(), fc.constantFrom('kil', '__proto__', 'toString')),
      arguments: fc.array(fc.anything()),
    })
    .map((value) => Buffer.from(JSON.stringify(value) ?? '')),
  fc
    .constantFrom('['.repeat(60_000), '{"a":'.repeat(12_000), `"${'x'.repeat(70_000)}"`, '\ud800')
    .map((text) => Buffer.from(text)),
);
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const table = fc.dictionary(
  fc.oneof(text, fc.constantFrom('rascal', '__proto__', 'constructor', 'x-deaths')),
  fc.oneof(
    text,
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(text, { maxLength: 3 }),
    fc.dictionary(text, text, { maxKeys: 3 }),
  ),
  { maxKeys: 4 },
);
const rascal = fc.oneof(
  fc.constantFrom<unknown>('boo', 7, null, [], true),
  fc.record({
    restoreRoutingHeaders: fc.boolean(),
    originalRoutingKey: text,
    originalExchange: text,
    redeliveries: fc.integer(),
    recovery: fc.constantFrom<unknown>('boo', {}, { commands: { immediateNack: true } }),
    encryption: fc.constantFrom<unknown>('boo', { name: 'none', iv: 'zz' }),
  }),
);
const properties = fc.record(
  {
    contentType: text,
    contentEncoding: text,
    headers: fc.oneof(
      table,
      fc.tuple(table, rascal).map(([headers, value]) => ({ ...headers, rascal: value })),
    ),
    correlationId: text,
    replyTo: fc.oneof(text, fc.constantFrom('amq.rabbitmq.reply-to.boo', 'no.such.queue', '')),
    messageId: text,
    timestamp: fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 53 - 1)),
    type: text,
    appId: text,
    priority: fc.nat(255),
  },
  { requiredKeys: [] },
);

t.test(
  `takes ${RUNS} hostile messages, carries none of them out wrongly, and does the next valid command`,
  async (t) => {
    const box = fakeBox();
    const spec = specFor(uri);
    const { log } = notingLogger();
    const link = connectBroker(spec, box, log);
    t.teardown(() => link.close(0));
    await until(() => link.state().control.state === 'up' && link.state().statistics.state === 'up', 'up');
    const key = spec.routingKeys[0]!;
    const sender = await hostileSender(t, key);
    let sent = 0;
    for (const [content, options] of fc.sample(fc.tuple(body, properties), RUNS)) {
      if (await sender.publish(content, options as object)) sent++;
      // Its queue holds 100: what is sent faster than it is read would be dropped unseen.
      if (sent % 50 === 0) await sender.ping();
    }
    t.ok(sent > RUNS * 0.9, `${sent} were sent`);
    await sender.ping();
    t.equal(link.state().control.connections, 1, 'on the first connection still');
    t.ok(link.state().refused > RUNS / 2, `${link.state().refused} were refused`);
    t.ok(box.executed.every(({ command }) => ['ping', 'kill', 'stop'].includes(command.name)));
    await link.close(1_000);
  },
);

t.test('is back after headers that rascal or amqplib stumble over', async (t) => {
  const box = fakeBox();
  const spec = specFor(uri);
  const link = connectBroker(spec, box, notingLogger().log);
  t.teardown(() => link.close(0));
  const { channel } = await foreignClient(t, uri);
  const key = spec.routingKeys[0]!;
  for (const headers of [
    { 'x-death': 'boo' },
    { 'x-death': 7 },
    { 'x-death': [null] },
    { 'x-death': { find: 'boo' } },
    { rascal: { encryption: 'boo' } },
    { big: { '!': 'int64', value: 2 ** 53 } },
  ]) {
    await until(() => link.state().control.state === 'up', 'up');
    channel.publish('amq.topic', key, Buffer.from('{"command":"kill"}'), { headers });
    await channel.waitForConfirms();
    // What it was does not matter; within its 2 s it must hear again.
    let answered = false;
    const deadline = performance.now() + 5_000;
    while (!answered && performance.now() < deadline) {
      const wait = new Promise<false>((resolve) => setTimeout(() => resolve(false), 300));
      answered = await Promise.race([
        ask(channel, { exchange: 'amq.topic', key }, { command: 'ping' }).then(({ body }) => body.ok),
        wait,
      ]);
    }
    t.ok(answered, JSON.stringify(headers));
  }
  await link.close(1_000);
});

/** A client that connects again where the broker throws it out: some of what is sent here breaks RabbitMQ's own reader. */
async function hostileSender(t: Test, key: string) {
  let { channel, connection } = await foreignClient(t, uri);
  let lost = false;
  const watch = () => {
    lost = false;
    for (const emitter of [connection, channel]) {
      emitter.on('close', () => {
        lost = true;
      });
    }
  };
  watch();
  const reconnect = async () => {
    await connection.close().catch(() => {});
    ({ channel, connection } = await foreignClient(t, uri));
    watch();
  };
  return {
    async publish(content: Buffer, options: object): Promise<boolean> {
      if (lost) await reconnect();
      try {
        channel.publish('amq.topic', key, content, options, () => {});
        return true;
      } catch {
        // amqplib cannot encode this one; it never leaves the sender
        return false;
      }
    },
    /** @throws where nothing is answered in some seconds */
    async ping(): Promise<void> {
      for (let attempt = 0; attempt < 10; attempt++) {
        if (lost) await reconnect();
        const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), 1_000));
        const asked = ask(channel, { exchange: 'amq.topic', key }, { command: 'ping' }).then(
          ({ body }) => body.ok === true,
          () => false,
        );
        if (await Promise.race([asked, late])) return;
      }
      throw new Error('no answer to a ping');
    },
  };
}
