import t, { type Test } from 'tap';
import { type ConnectionRequest, endpointOf } from '../../src/amqp/config.js';
import { openPublisher, type Publication, type Publisher } from '../../src/amqp/publisher.js';
import { collect, foreignClient, sharedBroker, unique, until } from '../fixtures/broker.js';

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);

function request(t: Test, more: Partial<ConnectionRequest> = {}): ConnectionRequest {
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  return {
    endpoint: endpointOf(uri),
    connectionName: 'test of the publisher',
    timeoutMs: 10_000,
    signal: abort.signal,
    exchange: 'amq.topic',
    declare: false,
    site: {},
    ...more,
  };
}

/** A publisher that is up; rejects with what makes it fail before. */
async function open(t: Test, more: Partial<ConnectionRequest> = {}) {
  const failures: unknown[] = [];
  const publisher = await new Promise<Publisher>((resolve, reject) => {
    const fail = (error: unknown) => {
      failures.push(error);
      reject(error);
    };
    openPublisher(request(t, more), { made() {}, up: resolve, fail });
  });
  return { publisher, failures };
}

const message = (routingKey: string, body: string, exchange = 'amq.topic'): Publication => ({
  exchange,
  routingKey,
  content: Buffer.from(body),
  options: {},
});
const publish = (publisher: Pick<Publisher, 'publish'>, publication: Publication) =>
  new Promise((resolve) => publisher.publish(publication, resolve));
const send = (publisher: Publisher, publication: Publication) =>
  new Promise<void>((resolve) => publisher.send(publication, resolve));
const closed = (publisher: Publisher) => new Promise<void>((resolve) => publisher.close(resolve));

t.test('many messages are in flight at once, in order, each with a confirm and the name of its sender', async (t) => {
  const { publisher } = await open(t);
  const key = unique('key');
  const arrived = await collect(channel, 'amq.topic', key);
  const sent = await Promise.all(Array.from({ length: 100 }, (_, n) => publish(publisher, message(key, `${n}`))));
  t.ok(sent.every((how) => how === 'confirmed'));
  const messages = await arrived.count(100);
  t.strictSame(
    messages.map(({ content }) => Number(content)),
    Array.from({ length: 100 }, (_, n) => n),
  );
  t.equal(messages[0]!.properties.userId, 'guest');
  await closed(publisher);
});

t.test('messages that were handed over just before the end arrive', async (t) => {
  const { publisher } = await open(t);
  const key = unique('key');
  const arrived = await collect(channel, 'amq.topic', key);
  await Promise.all(Array.from({ length: 50 }, (_, n) => send(publisher, message(key, `${n}`))));
  await closed(publisher);
  t.equal((await arrived.count(50)).length, 50);
  await closed(publisher);
  t.pass('closing twice does nothing');
});

t.test('a message that the broker refuses costs only the channel without confirms', async (t) => {
  const { publisher, failures } = await open(t);
  const refused = new Promise<Error>((resolve) => publisher.onRefused(resolve));
  const nowhere = unique('nowhere');
  await send(publisher, message('k', 'lost', nowhere));
  t.match((await refused).message, `NOT_FOUND - no exchange '${nowhere}'`);
  const key = unique('key');
  const arrived = await collect(channel, 'amq.topic', key);
  await send(publisher, message(key, 'next'));
  t.match(await arrived.count(1), [{ content: Buffer.from('next') }], 'over another one');
  t.equal(await publish(publisher, message(key, 'confirmed')), 'confirmed');
  t.strictSame(failures, []);
  await closed(publisher);
});

t.test('if the broker closes the confirm channel, the connection fails with the reason of the broker', async (t) => {
  const { publisher, failures } = await open(t);
  publisher.publish(message('k', 'lost', unique('nowhere')), () => t.fail('it was never confirmed'));
  await until(() => failures.length > 0, 'the connection fails');
  t.match(failures[0], { message: /NOT_FOUND - no exchange/ });
});

t.test('a second channel ends on its own, and is told of messages that reach no queue', async (t) => {
  const { publisher, failures } = await open(t);
  const ended: unknown[] = [];
  let returned = 0;
  const second = await new Promise<Publisher['publish']>((resolve) => {
    publisher.openSecondChannel({
      up: resolve,
      ended: (error) => ended.push(error),
      returned: () => returned++,
    });
  });
  const nobody = { ...message(unique('nobody'), 'x'), options: { mandatory: true } };
  t.equal(await publish({ publish: second }, nobody), 'confirmed');
  t.equal(returned, 1);
  second(message('k', 'lost', unique('nowhere')), () => t.fail('it was never confirmed'));
  await until(() => ended.length > 0, 'the channel ends');
  t.match(ended[0], { message: /NOT_FOUND/ });
  t.equal(await publish(publisher, message(unique('nobody'), 'x')), 'confirmed');
  t.strictSame(failures, []);
  await closed(publisher);
  const late = await new Promise((resolve) => publisher.openSecondChannel({ up: () => resolve('up'), ended: resolve }));
  t.match(late, { message: /clos/i }, 'a connection that has ended says so, and throws nothing');
});

t.test('a missing exchange is an error, or is declared; an exchange of another type is an error', async (t) => {
  const exchange = unique('exchange');
  await t.rejects(open(t, { exchange }), { message: /NOT_FOUND - no exchange/ });
  const { publisher } = await open(t, { exchange, declare: true });
  await closed(publisher);
  await channel.checkExchange(exchange);
  await closed((await open(t, { exchange })).publisher);
  await channel.deleteExchange(exchange);
  const fanout = unique('fanout');
  await channel.assertExchange(fanout, 'fanout', { durable: true });
  t.teardown(() => channel.deleteExchange(fanout));
  await t.rejects(open(t, { exchange: fanout }), { message: /received 'topic' but current is 'fanout'/ });
  await t.rejects(
    open(t, { exchange: 'amq.fanout' }),
    { message: /current is 'fanout'/ },
    'the type of predeclared exchanges is known',
  );
});

t.test('a topic exchange with other properties is used as it is', async (t) => {
  const exchange = unique('exchange');
  await channel.assertExchange(exchange, 'topic', { durable: false });
  t.teardown(() => channel.deleteExchange(exchange));
  await closed((await open(t, { exchange })).publisher);
});

t.test('a connection that cannot be made, or that is ended from outside, fails', async (t) => {
  await t.rejects(open(t, { endpoint: endpointOf('amqp://guest:guest@127.0.0.1:1') }), { code: 'ECONNREFUSED' });
  const abort = new AbortController();
  const { failures } = await open(t, { signal: abort.signal });
  abort.abort();
  await until(() => failures.length > 0, 'the connection fails');
  t.ok(failures[0]);
});
