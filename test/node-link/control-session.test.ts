import t from 'tap';
import { endpointOf } from '../../src/amqp/config.js';
import type { Delivery } from '../../src/amqp/message.js';
import { type Binder, type BindingKey, type ControlSession, openControl } from '../../src/node-link/control-session.js';
import { foreignClient, sharedBroker, unique, until } from '../fixtures/broker.js';

const uri = await sharedBroker(t);

const open = (queue: string, signal: AbortSignal) =>
  new Promise<ControlSession>((up, fail) => {
    const request = { endpoint: endpointOf(uri), connectionName: 'test', timeoutMs: 5_000, exchange: 'amq.topic' };
    openControl({ ...request, signal, declare: false, site: {} }, queue, { made() {}, up, fail });
  });
const binderOf = (session: ControlSession) =>
  new Promise<Binder>((resolve, reject) =>
    session.openBinder((error, binder) => (error ? reject(error) : resolve(binder!))),
  );
const bind = (binder: Binder, keys: BindingKey[]) => new Promise((resolve) => binder.bindAll(keys, resolve));

t.test('binds many keys at once; a refusal ends the channel of the bindings only', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const end = new AbortController();
  const key = unique('k');
  const session = await open(unique('q'), end.signal);
  const got: Delivery[] = [];
  await new Promise<void>((done) =>
    session.consume((delivery, ack) => {
      got.push(delivery);
      ack();
    }, done),
  );
  const binder = await binderOf(session);
  const keys = Array.from({ length: 200 }, (_, n) => ({ exchange: 'amq.topic', key: `${key}.${n}` }));
  t.equal(await bind(binder, keys), null);
  t.match(await bind(binder, [{ exchange: unique('none'), key }]), { code: 404 });
  t.ok(await bind(binder, keys), 'the channel has gone');
  channel.publish('amq.topic', `${key}.199`, Buffer.from('x'));
  await until(() => got.length === 1, 'the queue takes messages');
  const again = await binderOf(session);
  t.equal(await new Promise((resolve) => again.unbind(keys[199]!, resolve)), null);
  channel.publish('amq.topic', `${key}.199`, Buffer.from('x'));
  channel.publish('amq.topic', `${key}.0`, Buffer.from('x'));
  await until(() => got.length === 2, 'the other key is bound');
  t.equal(got[1]!.fields?.routingKey, `${key}.0`);
  t.equal(await new Promise((resolve) => session.waiting(resolve)), 0);
  again.close();
  await new Promise<void>((done) => session.close(done));
  end.abort();
});
