import amqp from 'amqplib';
import t from 'tap';
import { needsOwnLink } from '../fixtures/agent.js';
import { sharedBroker, unique } from '../fixtures/broker.js';
import { until } from '../fixtures/processes.js';
import { isAlive, start } from '../fixtures/run.js';

/** An exchange that does not exist or is no topic exchange: one line says so, nothing goes there, the job goes on. */

const uri = await sharedBroker(t);
const connection = await amqp.connect(uri);
t.teardown(() => connection.close());
const channel = await connection.createChannel();

const KILL = Buffer.from('{"command": "kill"}');

for (const type of ['fanout', 'direct', 'headers']) {
  for (const predeclared of [true, false]) {
    t.test(
      `${predeclared ? 'the predeclared' : 'a'} ${type} exchange is refused`,
      { skip: needsOwnLink },
      async (t) => {
        const exchange = predeclared ? `amq.${type}` : unique(type);
        if (!predeclared) await channel.assertExchange(exchange, type, { durable: false });
        const running = start(t, ['sh', '-c', 'read line; exit 7'], {
          bare: true,
          options: ['--config', 'none', '-uri', uri, '--flush', '100ms', '--exchange', exchange],
          stdio: ['pipe', 'pipe', 'pipe'],
        });
        const pid = await running.jobPid();
        const expected = `exchange "${exchange}" is a ${type} exchange, but proc_box needs a topic exchange: name another one`;
        await until(() => running.stderr().includes(expected), `the warning; there is ${running.stderr()}`);
        channel.publish(exchange, 'proc_box.remote_control', KILL);
        await channel.checkExchange(exchange);
        t.ok(isAlive(pid));
        running.child.stdin?.end('go on\n');
        t.equal((await running.done).code, 7);
        t.equal(running.stderr().split('proc_box needs a topic exchange').length, 2, 'it is said once');
      },
    );
  }
}

t.test('amq.nosuch does not exist, and nobody can make it', { skip: needsOwnLink }, async (t) => {
  const running = start(t, ['sh', '-c', 'read line; exit 7'], {
    bare: true,
    options: ['--config', 'none', '-uri', uri, '--flush', '100ms', '--exchange', 'amq.nosuch'],
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said =
    'exchange "amq.nosuch" does not exist, and only the broker can declare amq.* exchanges: check --exchange';
  await until(() => running.stderr().includes(said), 'the warning');
  running.child.stdin?.end('go on\n');
  t.equal((await running.done).code, 7);
  t.notMatch(running.stderr(), /deleted|declaring/);
});

t.test(
  'a transient topic exchange, and one that is declared by the box, are taken',
  { skip: needsOwnLink },
  async (t) => {
    const transient = unique('transient');
    await channel.assertExchange(transient, 'topic', { durable: false });
    for (const exchange of [transient, unique('new')]) {
      const running = start(t, ['sh', '-c', 'read line; exit 7'], {
        bare: true,
        options: ['--config', 'none', '-uri', uri, '--debug', '--exchange', exchange],
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      await until(() => running.stderr().includes('control: connected to broker'), 'it listens');
      channel.publish(exchange, 'proc_box.remote_control', KILL);
      t.equal((await running.done).code, 137);
      t.notMatch(running.stderr(), /warn/);
    }
  },
);
