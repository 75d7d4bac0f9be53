import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { connectFirst, leave, tryBroker } from '../../src/amqp/tool-connection.js';
import { foreignClient, sharedBroker, until } from '../fixtures/broker.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

const uri = await sharedBroker(t);
const WRONG = uri.replace('guest:guest', 'guest:sesame');
const port = Number(new URL(uri).port);

/** A port that accepts connections and says nothing. @returns its URI, and the connections that are open */
async function silence(t: Test) {
  let open = 0;
  const server = createServer((socket) => {
    open++;
    socket.resume();
    socket.on('error', () => {}); // the client has given it up
    socket.on('close', () => open--);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const at = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  return { uri: `amqp://guest:guest@${at}`, at, open: () => open };
}

t.test('the first broker that accepts the login is used, in the order of the list', async (t) => {
  const proxy = await tcpProxy(t, port);
  await proxy.down();
  const { endpoint, connection } = await connectFirst(
    { uris: [proxy.uriOf(uri), WRONG, uri], socketOptions: {} },
    10_000,
  );
  t.equal(endpoint.shown, `127.0.0.1:${port}`);
  t.equal(connection.connection.serverProperties.product, 'RabbitMQ');
  connection.on('error', () => {});
  await leave(connection);
});

t.test('if every login fails, the error has the reason of each and no password', async (t) => {
  const proxy = await tcpProxy(t, port);
  await proxy.down();
  const error = await connectFirst({ uris: [proxy.uriOf(uri), WRONG], socketOptions: {} }, 10_000).catch(
    (reason: Error) => reason,
  );
  t.match(error, {
    name: 'BrokerError',
    message: new RegExp(
      `^broker 127.0.0.1:${proxy.port}: connection refused.*; broker \\S+: login of user "guest" was refused`,
    ),
  });
  t.notMatch(String(error), 'sesame');
});

t.test('a broker that says nothing gets its share of the time, and its connection is ended', async (t) => {
  const silent = await silence(t);
  const began = performance.now();
  const { endpoint, connection } = await connectFirst({ uris: [silent.uri, uri], socketOptions: {} }, 4_000);
  t.ok(performance.now() - began > 1_900);
  t.equal(endpoint.shown, `127.0.0.1:${port}`);
  connection.on('error', () => {});
  await leave(connection);
  await until(() => silent.open() === 0, 'the connection is ended');
  await t.rejects(connectFirst({ uris: [silent.uri], socketOptions: {} }, 100), {
    name: 'BrokerError',
    message: `broker ${silent.at}: no answer: check host, port and firewall`,
  });
});

t.test('a connection that the broker has already closed can be left', async (t) => {
  const { connection } = await connectFirst({ uris: [uri], socketOptions: {} }, 10_000);
  connection.on('error', () => {});
  await leave(connection);
  await leave(connection);
  const { connection: other } = await foreignClient(t, uri);
  t.ok(other, 'the broker is still there');
});

t.test('proc_box check logs in and out, and tells which broker it was', async (t) => {
  t.match(await tryBroker({ uris: [uri], socketOptions: {} }), /^127\.0\.0\.1:\d+: RabbitMQ \d+\./);
  await t.rejects(tryBroker({ uris: [WRONG], socketOptions: {} }), {
    message: /login of user "guest" was refused/,
  });
});
