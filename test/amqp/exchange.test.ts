import amqp, { type Connection } from 'amqplib/callback_api';
import t from 'tap';
import { ensureExchange } from '../../src/amqp/exchange.js';
import { foreignClient, sharedBroker, unique } from '../fixtures/broker.js';

const uri = await sharedBroker(t);

t.test('an exchange is declared if it does not exist, and the connection survives what cannot be used', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const connection = await new Promise<Connection>((resolve, reject) =>
    amqp.connect(uri, (error, made) => (error ? reject(error) : resolve(made))),
  );
  const ensure = (exchange: string) => new Promise((resolve) => ensureExchange(connection, exchange, {}, resolve));
  const [own, fanout] = [unique('exchange'), unique('exchange')];
  t.equal(await ensure(own), undefined);
  t.equal(await ensure(own), undefined, 'it exists');
  await channel.checkExchange(own);
  await channel.assertExchange(fanout, 'fanout');
  t.match(await ensure(fanout), { message: /inequivalent arg 'type'/ });
  t.match(await ensure('amq.fanout'), { message: /inequivalent arg 'type'/ });
  t.equal(await ensure('amq.topic'), undefined);
  for (const exchange of [own, fanout]) await channel.deleteExchange(exchange);
  await new Promise<void>((done) => connection.close(() => done()));
  t.ok(await ensure(own), 'after the end of the connection there is an error');
});
