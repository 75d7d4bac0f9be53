import dns from 'node:dns';
import t from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import {
  ask,
  collect,
  fakeBox,
  foreignClient,
  notingLogger,
  privateBroker,
  sample,
  specFor,
  until,
} from '../fixtures/broker.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

t.setTimeout(180_000);
const PASSWORD = 's3:cr@t%/ü x';
const broker = await privateBroker(t, { users: [{ name: 'alice', password: PASSWORD }] });

function open(uri: string | string[], box = fakeBox(), more = {}) {
  const { log, lines } = notingLogger();
  const spec = specFor(uri, more);
  const link = connectBroker(spec, box, log);
  t.teardown(() => link.close(0));
  const up = () =>
    until(() => link.state().control.state === 'up' && link.state().statistics.state === 'up', 'both links are up');
  return { spec, box, link, lines, up };
}

/** Message ids in order of their first arrival; repeats are allowed, gaps and inversions are not. */
function firstArrivals(messages: readonly { properties: { messageId?: string } }[]): string[] {
  return [...new Set(messages.map(({ properties }) => String(properties.messageId)))];
}

const idsUpTo = (count: number) => Array.from({ length: count }, (_, n) => `b-${n + 1}`);

for (const [name, breakIt] of [
  ['dropped', (proxy) => proxy.drop()],
  ['reset', (proxy) => proxy.reset()],
  ['refused for a while', async (proxy) => proxy.down().then(() => proxy.up())],
] as [string, (proxy: Awaited<ReturnType<typeof tcpProxy>>) => unknown][]) {
  t.test(`loses no sample and no order when the connection is ${name}`, async (t) => {
    const proxy = await tcpProxy(t, broker.port);
    const { spec, link, up } = open(proxy.uriOf(broker.uri));
    const { channel } = await foreignClient(t, broker.uri);
    const samples = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
    await up();
    const count = 2_000;
    for (let n = 1; n <= count; n++) {
      link.publish(sample('b', n));
      if (n % 400 === 0) {
        await until(() => samples.messages.length > n - 300, 'some have arrived');
        await breakIt(proxy);
      }
    }
    await until(() => link.state().outbox.messages === 0, 'the outbox is empty');
    await until(() => firstArrivals(samples.messages).length >= count, 'all have arrived');
    t.strictSame(firstArrivals(samples.messages), idsUpTo(count));
    t.ok(link.state().statistics.connections > 2);
    t.equal(link.dropped, 0);
    await up();
    t.equal(
      (await ask(channel, { exchange: 'amq.topic', key: spec.routingKeys[0]! }, { command: 'ping' })).body.ok,
      true,
    );
    await link.close(1_000);
    await until(() => proxy.open === 0, 'no connection is left');
  });
}

t.test('is back within 2 s of the broker being reachable', async (t) => {
  const proxy = await tcpProxy(t, broker.port);
  const { link, up } = open(proxy.uriOf(broker.uri));
  await up();
  await proxy.down();
  await until(() => link.state().control.state === 'down', 'it is noticed');
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await proxy.up();
  const startedAtMs = performance.now();
  await up();
  t.ok(performance.now() - startedAtMs < 2_000);
  await link.close(1_000);
});

t.test('thirty boxes are back soon after the broker is, and do not come all at once', async (t) => {
  const proxy = await tcpProxy(t, broker.port);
  const boxes = Array.from({ length: 30 }, () => open(proxy.uriOf(broker.uri)));
  await Promise.all(boxes.map(({ up }) => up()));
  await proxy.down();
  await until(() => boxes.every(({ link }) => link.state().control.state === 'down'), 'all have noticed');
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const arrivalsMs: number[] = [];
  await proxy.up();
  const startedAtMs = performance.now();
  await Promise.all(boxes.map(({ up }) => up().then(() => arrivalsMs.push(performance.now() - startedAtMs))));
  arrivalsMs.sort((a, b) => a - b);
  // The bound is 2 s for one; thirty in one process share two cores with the broker.
  t.ok(arrivalsMs[29]! < 15_000, `half of them within ${arrivalsMs[15]} ms, all within ${arrivalsMs[29]} ms`);
  t.ok(arrivalsMs[29]! - arrivalsMs[0]! > 100, 'spread by jitter');
  await Promise.all(boxes.map(({ link }) => link.close(1_000)));
});

t.test('keeps samples while the name of the broker does not resolve, and connects once it does', async (t) => {
  const { spec, link, lines, up } = open(`amqp://guest:guest@later.invalid:${broker.port}`);
  await until(() => link.state().statistics.lastError !== null, 'the name does not resolve');
  t.match(link.state().statistics.lastError, /the host name does not resolve/);
  link.publish(sample('b', 1));
  const { channel } = await foreignClient(t, broker.uri);
  const samples = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  const { lookup } = dns;
  t.teardown(() => Object.assign(dns, { lookup }));
  Object.assign(dns, {
    lookup: (name: string, options: object, done: (...values: unknown[]) => void) =>
      lookup(name === 'later.invalid' ? '127.0.0.1' : name, options, done),
  });
  await up();
  await samples.count(1);
  t.equal(
    lines.filter((line) => line.includes('does not resolve') && line.includes('warn')).length,
    1,
    'both connections meet the same host: one warning for both',
  );
  await link.close(1_000);
});

t.test('closes in bounded time over a link that is silent, and leaves no connection', async (t) => {
  const proxy = await tcpProxy(t, broker.port);
  const { link, up } = open(proxy.uriOf(broker.uri));
  await up();
  proxy.blackhole(true);
  for (let n = 1; n <= 10; n++) link.publish(sample('b', n));
  const startedAtMs = performance.now();
  t.strictSame(await link.close(300), { undelivered: 10, spooled: null, given: 'time' });
  t.ok(performance.now() - startedAtMs < 1_700);
  proxy.blackhole(false);
  await until(() => proxy.open === 0, 'no connection is left');
});

t.test('replaces a link on which nothing is confirmed, long before its heartbeat', async (t) => {
  const proxy = await tcpProxy(t, broker.port);
  const { link, lines, up } = open(proxy.uriOf(broker.uri), fakeBox(), { messageTimeoutMs: 500 });
  await up();
  proxy.blackhole(true);
  link.publish(sample('b', 1));
  await until(() => link.state().statistics.state === 'down', 'the link is given up');
  proxy.blackhole(false);
  await until(() => link.state().outbox.messages === 0, 'the sample is confirmed on the next');
  t.equal(link.dropped, 0);
  t.ok(lines.some((line) => line.includes('warn')));
  await link.close(1_000);
});

t.test('fails over to the next host of a list', async (t) => {
  const proxy = await tcpProxy(t, broker.port);
  const { link, up } = open([proxy.uriOf(broker.uri), broker.uri]);
  await up();
  await proxy.down();
  await until(() => link.state().statistics.connections > 1, 'connected to the other');
  await up();
  t.equal(link.state().statistics.broker, `127.0.0.1:${broker.port}`);
  await link.close(1_000);
});

t.test('says what to fix when the login is refused, once, and never shows the password', async (t) => {
  const uri = `amqp://alice:${encodeURIComponent('wr:ong@p%w')}@127.0.0.1:${broker.port}`;
  const { link, lines } = open(uri);
  await until(() => link.state().control.lastError !== null && link.state().statistics.lastError !== null, 'refused');
  await until(() => lines.length >= 2, 'warned');
  const text = JSON.stringify([lines, link.state()]);
  t.match(text, /login of user \\"alice\\" was refused: check user and password/);
  t.notMatch(text, /wr:ong|wr%3Aong|ong@p|p%w|p%25w/);
  link.publish(sample('b', 1));
  const startedAtMs = performance.now();
  t.strictSame(await link.close(3_000), { undelivered: 1, spooled: null, given: 'nothing: no login' });
  t.ok(performance.now() - startedAtMs < 500, 'and does not wait for what cannot come');
});

t.test('logs in with a password of every kind of character', async () => {
  const { link, up } = open(`amqp://alice:${encodeURIComponent(PASSWORD)}@127.0.0.1:${broker.port}`);
  await up();
  await link.close(1_000);
});

t.test('says what to fix when there is no such vhost', async (t) => {
  const { link, lines } = open(`${broker.uri}/nowhere`);
  await until(() => link.state().control.lastError !== null, 'refused');
  t.match(
    link.state().control.lastError,
    /vhost nowhere not found: check the vhost of --uri, or ask the broker's administrator/,
  );
  await link.close(0);
  t.equal(lines.filter((line) => line.includes('warn') && line.includes('control')).length, 1);
});

for (const [alarm, raise, clear] of [
  ['memory', ['set_vm_memory_high_watermark', '0.00001'], ['set_vm_memory_high_watermark', '0.6']],
  ['disk', ['set_disk_free_limit', '1000000GB'], ['set_disk_free_limit', '50MB']],
] as const)
  t.test(`keeps samples while the broker is blocked by a ${alarm} alarm, and still takes commands`, async (t) => {
    const { spec, link, lines, up } = open(broker.uri, fakeBox(), { messageTimeoutMs: 200 });
    const { channel } = await foreignClient(t, broker.uri);
    const samples = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
    await up();
    link.publish(sample('b', 1));
    await samples.count(1);
    await broker.ctl(...raise);
    const { connections } = link.state().statistics;
    link.publish(sample('b', 2));
    await until(
      () => lines.some((line) => line.includes('memory or disk alarm')),
      'the broker says that it is blocked',
    );
    link.publish(sample('b', 3));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    t.equal(link.state().outbox.messages, 2);
    await broker.ctl(...clear);
    await samples.count(3);
    t.strictSame(firstArrivals(samples.messages), idsUpTo(3));
    t.equal(link.state().statistics.connections, connections, 'on the same connection');
    t.equal(link.dropped, 0);
    await link.close(1_000);
  });

t.test('loses no sample when the broker is restarted, and when it is killed', async (t) => {
  const { spec, link, up } = open(broker.uri);
  const before = await foreignClient(t, broker.uri);
  const { queue } = await before.channel.assertQueue(`durable-${spec.statsKey}`, { durable: true });
  await before.channel.bindQueue(queue, 'amq.topic', `${spec.statsKey}.#`);
  await up();
  let n = 0;
  const produce = setInterval(() => link.publish(sample('b', ++n)), 5);
  await until(() => n > 50, 'some');
  await broker.restart();
  await until(() => n > 100, 'more');
  await broker.kill9();
  await broker.start();
  await up();
  clearInterval(produce);
  await until(() => link.state().outbox.messages === 0, 'the outbox is empty');
  t.equal(link.dropped, 0);
  const { channel } = await foreignClient(t, broker.uri);
  const messages: { properties: { messageId?: string } }[] = [];
  await channel.consume(queue, (message) => message !== null && messages.push(message), { noAck: true });
  await until(() => firstArrivals(messages).length >= n, 'all are in the queue');
  t.strictSame(firstArrivals(messages), idsUpTo(n));
  t.equal(
    (await ask(channel, { exchange: 'amq.topic', key: spec.routingKeys[0]! }, { command: 'ping' })).body.ok,
    true,
  );
  await link.close(1_000);
});
