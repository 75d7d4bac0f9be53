// test-waits
import type { ConsumeMessage } from 'amqplib';
import t from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import {
  ask,
  collect,
  fakeBox,
  foreignClient,
  notingLogger,
  sample,
  sharedBroker,
  specFor,
  unique,
  until,
} from '../fixtures/broker.js';

const uri = await sharedBroker(t);
const { connection, channel } = await foreignClient(t, uri);

function open(spec = specFor(uri), box = fakeBox()) {
  const { log, lines } = notingLogger();
  const link = connectBroker(spec, box, log);
  t.teardown(() => link.close(0));
  const bound = () => until(() => link.state().control.state === 'up', 'control is up');
  return { spec, box, link, lines, bound };
}

const ids = (messages: ConsumeMessage[]) => messages.map(({ properties }) => properties.messageId);

t.test('publishes samples and events in order, with the properties of the contract', async (t) => {
  const spec = specFor(uri);
  const samples = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  const all = await collect(channel, 'amq.topic', `${spec.statsKey.split('.')[0]}.#`);
  const { link, box } = open(spec);
  for (let n = 1; n <= 200; n++) {
    const message = sample(box.identity.box, n);
    link.publish(n % 10 === 0 ? { ...message, kind: 'event', type: 'proc_box.event' } : message);
  }
  const messages = await all.count(200);
  t.strictSame(
    ids(messages),
    Array.from({ length: 200 }, (_, n) => `${box.identity.box}-${n + 1}`),
  );
  t.equal((await samples.count(180)).length, 180);
  const [first] = messages;
  t.equal(first!.fields.routingKey, `${spec.statsKey}.node1.example`);
  t.equal(messages[9]!.fields.routingKey, `${spec.eventsKey}.node1.example`);
  t.match(first!.properties, {
    contentType: 'application/json',
    messageId: `${box.identity.box}-1`,
    timestamp: 1_700_000_000,
    type: 'proc_box.stats',
    appId: 'proc_box',
    deliveryMode: 2,
    userId: 'guest',
  });
  t.strictSame(JSON.parse(first!.content.toString()), { Sequence: 1 });
});

t.test('carries out a command and answers it', async (t) => {
  const { spec, box, bound } = open();
  await bound();
  const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
  const answer = await ask(
    channel,
    to,
    { command: 'kill', arguments: ['TERM'] },
    { correlationId: 'c1', messageId: 'm1', userId: 'guest' },
  );
  t.strictSame(answer.body, {
    ok: true,
    box: box.identity.box,
    host: 'node1.example',
    job: '1234_7',
    command: 'kill',
    result: { did: 'kill' },
  });
  t.match(answer.properties, { correlationId: 'c1', contentType: 'application/json', appId: 'proc_box' });
  t.strictSame(box.executed, [
    { command: { name: 'kill', signal: 15 }, by: { via: 'amqp', messageId: 'm1', user: 'guest' } },
  ]);
  const other = await ask(channel, to, { command: 'ping' }, { messageId: 'm2' });
  t.equal(other.properties.correlationId, 'm2', 'without a correlation id the message id takes its place');
});

t.test('carries out the same message id once and answers it twice', async (t) => {
  let answers = 0;
  const { spec, box, bound } = open(
    undefined,
    fakeBox({}, () => ({ ok: true, result: ++answers })),
  );
  await bound();
  const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
  const first = await ask(channel, to, { command: 'sample' }, { messageId: 'again' });
  const second = await ask(channel, to, { command: 'sample' }, { messageId: 'again' });
  t.strictSame(second.body, first.body);
  t.equal(box.executed.length, 1);
});

t.test('refuses what is no command, says why, and goes on', async (t) => {
  const { spec, box, bound, link, lines } = open();
  await bound();
  const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
  for (const [body, code, command] of [
    ['boo', 'not_json', ''],
    ['{"command":"boo"}', 'unknown_command', 'boo'],
    ['{"command":"kill","arguments":["SIGNOPE"]}', 'bad_arguments', 'kill'],
    [`"${'x'.repeat(70_000)}"`, 'too_large', ''],
  ] as const) {
    const answer = await ask(channel, to, body);
    t.match(answer.body, { ok: false, box: box.identity.box, command, error: { code, message: String } }, code);
  }
  const forged = await ask(channel, to, { command: 'kill' }, { headers: { rascal: { restoreRoutingHeaders: true } } });
  t.equal(forged.body.error.code, 'forged');
  await ask(channel, to, 'boo');
  t.equal(box.executed.length, 0);
  t.equal(box.refusals.length, 6);
  t.equal(link.state().refused, 6);
  t.equal(lines.filter((line) => line.includes('not_json') && line.includes('warn')).length, 1, 'logged once');
  t.equal((await ask(channel, to, { command: 'ping' })).body.ok, true);
});

t.test('is reached under each of its keys, and ignores what is for others', async (t) => {
  const { spec, box, bound } = open();
  await bound();
  const key = spec.routingKeys[0]!;
  const { box: id } = box.identity;
  for (const suffix of [
    '',
    '.host.node1_example',
    '.job.1234_7',
    '.user.alice',
    '.user.alice.job.1234_7',
    `.box.${id}`,
  ]) {
    t.equal(
      (await ask(channel, { exchange: 'amq.topic', key: key + suffix }, { command: 'ping' })).body.ok,
      true,
      suffix,
    );
  }
  channel.publish('amq.topic', key, Buffer.from('{"command":"kill","target":{"box":"other"}}'));
  t.equal(
    (await ask(channel, { exchange: 'amq.topic', key }, { command: 'ping', target: { box: id, job: '1234_7' } })).body
      .ok,
    true,
  );
  t.ok(box.executed.every(({ command }) => command.name === 'ping'));
  t.equal(box.refusals.length, 0, 'in silence');
});

t.test('answers a kill while the box still works on another command', async (t) => {
  let finish = () => {};
  const slow = new Promise<void>((resolve) => (finish = resolve));
  const box = fakeBox({}, async ({ name }) => {
    if (name === 'stop') await slow;
    return { ok: true, result: name };
  });
  const { spec, bound } = open(undefined, box);
  await bound();
  const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
  const stopped = ask(channel, to, { command: 'stop' });
  t.equal((await ask(channel, to, { command: 'kill' })).body.result, 'kill');
  finish();
  t.equal((await stopped).body.result, 'stop');
});

t.test('survives a box that breaks its promise never to throw', async (t) => {
  const box = fakeBox({}, ({ name }) => {
    if (name === 'ping') throw new Error('boom');
    return { ok: true, result: 1n };
  });
  const { spec, bound } = open(undefined, box);
  await bound();
  const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
  t.equal((await ask(channel, to, { command: 'ping' })).body.error.code, 'failed');
  t.equal((await ask(channel, to, { command: 'status' })).body.result, 1);
});

t.test('declares an exchange that does not exist, and uses one that does as it is', async (t) => {
  for (const durable of [true, false]) {
    const exchange = unique('exchange');
    if (!durable) await channel.assertExchange(exchange, 'topic', { durable: false });
    const { spec, bound, link } = open(specFor(uri, { exchange }));
    await bound();
    await until(() => link.state().statistics.state === 'up', 'statistics are up');
    await channel.assertExchange(exchange, 'topic', { durable });
    t.equal((await ask(channel, { exchange, key: spec.routingKeys[0]! }, { command: 'ping' })).body.ok, true);
    await link.close(1_000);
    await channel.deleteExchange(exchange);
  }
});

t.test('recovers from a deleted exchange: no sample lost, and commands arrive again', async (t) => {
  const exchange = unique('exchange');
  const { spec, bound, link, box } = open(specFor(uri, { exchange }));
  await bound();
  await until(() => link.state().statistics.state === 'up', 'statistics are up');
  await channel.deleteExchange(exchange);
  const { connections } = link.state().control;
  link.publish(sample(box.identity.box, 1));
  await until(
    () => link.state().control.connections > connections && link.state().control.state === 'up',
    'control is bound again',
  );
  await until(() => link.state().outbox.messages === 0, 'the sample is confirmed');
  t.equal((await ask(channel, { exchange, key: spec.routingKeys[0]! }, { command: 'ping' })).body.ok, true);
  t.equal(link.dropped, 0);
  await link.close(1_000);
  await channel.deleteExchange(exchange);
});

t.test('recovers from an exchange that somebody has deleted and made anew', async (t) => {
  const exchange = unique('exchange');
  const { spec, bound, link, box } = open(specFor(uri, { exchange }));
  await bound();
  await until(() => link.state().statistics.state === 'up', 'statistics are up');
  const { connections } = link.state().control;
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  t.equal(link.state().control.connections, connections, 'nothing is wrong, and nothing is done');
  t.strictSame([box.executed.length, box.refusals.length, link.state().refused], [0, 0, 0]);
  await channel.deleteExchange(exchange);
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await until(
    () => link.state().control.connections > connections && link.state().control.state === 'up',
    'control is bound again, although no sample was sent',
  );
  t.equal((await ask(channel, { exchange, key: spec.routingKeys[0]! }, { command: 'ping' })).body.ok, true);
  await link.close(1_000);
  await channel.deleteExchange(exchange);
});

t.test('a routing key with {user} on an exchange of its own is looked after without a new connection', async (t) => {
  const exchange = unique('exchange');
  const key = unique('key');
  await channel.assertExchange(exchange, 'topic', { durable: false });
  const { box, link, bound } = open(specFor(uri, { exchange, routingKeys: [`${key}.user.{user}`] }));
  await bound();
  const asked = await collect(channel, exchange, `${key}.user.alice.box.${box.identity.box}`);
  await asked.count(2);
  t.equal(link.state().control.connections, 1);
  t.equal(link.state().refused, 0);
  t.equal((await ask(channel, { exchange, key: `${key}.user.alice` }, { command: 'ping' })).body.ok, true);
  await link.close(1_000);
  await channel.deleteExchange(exchange);
});

t.test('where binding anew does not help for long, it says so once and asks more rarely', async (t) => {
  const exchange = unique('exchange');
  const { link, lines, bound } = open(specFor(uri, { exchange }));
  await bound();
  await until(() => link.state().statistics.state === 'up', 'statistics are up');
  for (const connections of [2, 3]) {
    await channel.deleteExchange(exchange);
    await channel.assertExchange(exchange, 'topic', { durable: true });
    await until(() => link.state().control.connections === connections && link.state().control.state === 'up', 'back');
  }
  t.equal(lines.filter((line) => line.includes("does not route this box's keys")).length, 1);
  await link.close(1_000);
  await channel.deleteExchange(exchange);
});

t.test('recovers from a deleted queue', async (t) => {
  const { spec, bound, link, box } = open();
  await bound();
  // Only its own connection may touch an exclusive queue: a broker-side operator would delete it. x-death does it here.
  channel.publish('amq.topic', spec.routingKeys[0]!, Buffer.from('{"command":"ping"}'), {
    headers: { 'x-death': 'boo' },
  });
  await until(() => link.state().control.connections > 1 && link.state().control.state === 'up', 'control is back');
  t.equal(
    (await ask(channel, { exchange: 'amq.topic', key: spec.routingKeys[0]! }, { command: 'ping' })).body.ok,
    true,
  );
  t.equal(box.refusals.length, 0);
});

t.test('sends what is in the outbox before it closes, also when it was never connected before', async (t) => {
  const spec = specFor(uri);
  const samples = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  const { link } = open(spec);
  link.publish(sample('b', 1));
  link.publish(sample('b', 2));
  t.strictSame(await link.close(5_000), { undelivered: 0, spooled: null, given: 'time' });
  t.strictSame(ids(await samples.count(2)), ['b-1', 'b-2']);
});

t.test('leaves no queue behind', async (t) => {
  const { bound, link } = open();
  await bound();
  await link.close(1_000);
  t.equal(link.state().control.state, 'down');
  t.ok(connection);
});
