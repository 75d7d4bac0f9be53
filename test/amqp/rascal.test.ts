import t, { type Test } from 'tap';
import { type ConnectionRequest, controlConfig, endpointOf } from '../../src/amqp/config.js';
import { type BrokerSession, openBroker } from '../../src/amqp/rascal.js';
import { foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { jobIdentity } from '../fixtures/light.js';

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);

function open(t: Test, more: Partial<ConnectionRequest> = {}) {
  const abort = new AbortController();
  const request: ConnectionRequest = {
    endpoint: endpointOf(uri),
    connectionName: 'test of rascal',
    timeoutMs: 10_000,
    signal: abort.signal,
    exchange: 'amq.topic',
    declare: false,
    site: {},
    ...more,
  };
  const queue = unique('queue');
  const config = controlConfig(request, [unique('key')], jobIdentity(), queue);
  let session: BrokerSession | undefined;
  let tellFailure: (error: unknown) => void = () => {};
  const failed = new Promise<unknown>((resolve) => {
    tellFailure = resolve;
  });
  const up = new Promise<BrokerSession>((resolve, reject) => {
    openBroker(config, {
      made(made) {
        session = made as BrokerSession;
      },
      up: resolve,
      fail(error) {
        tellFailure(error);
        reject(error);
      },
    });
  });
  t.teardown(() => {
    abort.abort();
    session?.release();
  });
  return { up, failed, queue, abort, session: () => session };
}

t.test('a broker object has its queue, and leaves nothing behind when it is closed', async (t) => {
  const { up, queue } = open(t);
  const { close, broker, release } = await up;
  // Exclusive: another connection may not even look at it.
  const { channel: other } = await foreignClient(t, uri);
  await t.rejects(other.checkQueue(queue), /RESOURCE_LOCKED/);
  await new Promise<void>((resolve) => close(resolve));
  const { channel: later } = await foreignClient(t, uri);
  await t.rejects(later.checkQueue(queue), /NOT_FOUND/);
  release();
  const { _destroyed: cleared } = broker.keepActive as unknown as { readonly _destroyed: boolean };
  t.ok(cleared, 'no timer keeps the process alive');
});

t.test('a lost connection is a failure, and can be released twice', async (t) => {
  const { up, failed, abort } = open(t);
  const session = await up;
  abort.abort();
  t.ok(await failed);
  t.doesNotThrow(() => session.release());
  t.doesNotThrow(() => session.release(), 'twice');
});

t.test('a broker or exchange that is missing is a failure with its reason', async (t) => {
  const nobody = open(t, { endpoint: endpointOf('amqp://guest:guest@127.0.0.1:1') });
  await t.rejects(nobody.up, { code: 'ECONNREFUSED' });
  const exchange = unique('exchange');
  const missing = open(t, { exchange });
  await t.rejects(missing.up, /NOT_FOUND - no exchange/);
  const declared = open(t, { exchange, declare: true });
  await declared.up;
  await channel.checkExchange(exchange);
  await channel.deleteExchange(exchange);
});
