import t from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import { ask, fakeBox, foreignClient, notingLogger, sharedBroker, specFor, until } from '../fixtures/broker.js';
import { hostileMessages, hostileSender, STUMBLING_BLOCKS } from '../fixtures/hostile.js';

t.setTimeout(120_000);
const RUNS = 10_000;
const uri = await sharedBroker(t);

const VALID = [
  '{"command":"kill","arguments":["TERM"]}',
  '{"Command":"stop","arguments":["10s",],}',
  '{"command":"ping","target":{"box":"x","host":"y"}}',
];

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
    const sender = await hostileSender(t, uri, key);
    let sent = 0;
    for (const [content, options] of hostileMessages(VALID, RUNS)) {
      if (await sender.publish(content, options)) sent++;
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
  for (const headers of STUMBLING_BLOCKS) {
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
