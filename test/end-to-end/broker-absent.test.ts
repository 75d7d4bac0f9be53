import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import t from 'tap';
import { needsOwnLink, THROUGH_AGENT } from '../fixtures/agent.js';
import { sharedBroker, unique, until } from '../fixtures/broker.js';
import { connectOperator, type OperatedJob } from '../fixtures/operated-job.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

/** A missing, silent or unwilling broker: the job neither knows nor waits, but at its end for at most `--flush`. */

const uri = await sharedBroker(t);
const operator = await connectOperator(t, uri);
const port = Number(new URL(uri).port);

/** Wall clock of a whole run, ms. */
async function wall(job: OperatedJob): Promise<number> {
  const sinceMs = performance.now();
  await job.ended;
  return performance.now() - sinceMs;
}

t.test(
  'a broker that refuses connections costs the job nothing, and its end at most --flush',
  { skip: needsOwnLink },
  async (t) => {
    const proxy = await tcpProxy(t, port);
    await proxy.down();
    const job = await operator.start(t, ['sh', '-c', 'echo out; exit 5'], {
      uri: proxy.uriOf(uri),
      options: ['-flush', '300ms'],
    });
    const tookMs = await wall(job);
    t.strictSame(await job.ended, { code: 5, signal: null });
    t.equal(job.stdout(), 'out\n');
    t.ok(tookMs < 300 + 1_500, `${tookMs} ms`);
    t.match(job.stderr(), /warn: \w+: broker 127\.0\.0\.1:\d+\S*: connection refused: is the broker running there\?/);
    t.match(job.stderr(), /4 messages were not delivered within 300 ms; --flush sets how long/);
  },
);

t.test(
  'a broker that accepts and says nothing costs the job nothing, and its end at most --flush',
  { skip: needsOwnLink },
  async (t) => {
    const proxy = await tcpProxy(t, port);
    proxy.blackhole(true);
    const job = await operator.start(t, ['true'], { uri: proxy.uriOf(uri), options: ['-flush', '300ms'] });
    const tookMs = await wall(job);
    t.strictSame(await job.ended, { code: 0, signal: null });
    t.ok(tookMs < 300 + 1_500, `${tookMs} ms`);
    t.match(job.stderr(), /messages were not delivered/);
  },
);

t.test('a broker that falls silent while the job runs does not hold up its end', async (t) => {
  const proxy = await tcpProxy(t, port);
  const job = await operator.start(t, ['sh', '-c', 'read line || sleep 1000'], {
    uri: proxy.uriOf(uri),
    options: ['-flush', '300ms'],
  });
  await job.bound();
  proxy.blackhole(true);
  process.kill(job.processes()[0]!.pid, 'SIGKILL');
  const tookMs = await wall(job);
  t.strictSame(await job.ended, { code: 137, signal: null });
  t.ok(tookMs < 300 + 1_500, `${tookMs} ms`);
});

t.test('with -flush 0 the end does not wait at all', async (t) => {
  const proxy = await tcpProxy(t, port);
  await proxy.down();
  const job = await operator.start(t, ['true'], { uri: proxy.uriOf(uri), options: ['-flush', '0'] });
  t.ok((await wall(job)) < 1_500);
  t.strictSame(await job.ended, { code: 0, signal: null });
});

t.test('with -uri none nothing is tried and nothing is said', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'exit 4'], { uri: 'none' });
  t.strictSame(await job.ended, { code: 4, signal: null });
  t.notMatch(job.stderr(), /warn|broker/);
  t.strictSame(job.received, []);
});

t.test(
  'a broker that comes while the job runs gets everything from the first sample on',
  { skip: needsOwnLink },
  async (t) => {
    const proxy = await tcpProxy(t, port);
    await proxy.down();
    const job = await operator.start(t, ['sleep', '1000'], { uri: proxy.uriOf(uri), options: ['-sint', '20ms'] });
    await job.logged('connection refused');
    await proxy.up();
    await job.bound();
    await job.ask('kill');
    await job.ended;
    t.match(await job.event('exited'), { dropped: 0 });
    const numbers = job.received.map(({ body }) => body.Sequence ?? body.sequence);
    t.strictSame(
      numbers,
      numbers.map((_, index) => index + 1),
    );
  },
);

t.test('connections that break again and again lose no message', async (t) => {
  const proxy = await tcpProxy(t, port);
  const job = await operator.start(t, ['sleep', '1000'], { uri: proxy.uriOf(uri), options: ['-sint', '10ms'] });
  for (const end of ['reset', 'drop', 'reset'] as const) {
    await job.bound();
    const before = job.received.length;
    await until(() => job.received.length > before + 5, 'more messages');
    proxy[end]();
  }
  await job.bound();
  await job.ask('kill');
  await job.ended;
  t.match(await job.event('exited'), { dropped: 0 });
  // At least once: one that was in flight may come twice, with the same message id.
  const numbers = [...new Set(job.received.map(({ message }) => Number(message.properties.messageId.split('-')[1])))];
  t.strictSame(
    numbers,
    numbers.map((_, index) => index + 1),
    'none lost, none out of order',
  );
  if (!THROUGH_AGENT) t.equal(proxy.open, 0);
});

t.test('an outbox that is full gives up the oldest and publishes how many', { skip: needsOwnLink }, async (t) => {
  const proxy = await tcpProxy(t, port);
  await proxy.down();
  const options = ['-sint', '10ms', '-outbox-messages', '10'];
  const job = await operator.start(t, ['sleep', '1000'], { uri: proxy.uriOf(uri), options });
  await job.logged('the outbox is full');
  await proxy.up();
  await job.bound();
  await job.ask('change_sample_rate', ['1h']);
  // What is pushed out by the end report itself cannot be in its count: let the outbox drain first.
  while ((await job.ask('status')).result.broker.outbox.messages > 0);
  await job.ask('kill');
  await job.ended;
  const { dropped } = await job.event('exited');
  const numbers = job.received.map(({ body }) => body.Sequence ?? body.sequence);
  t.ok(dropped > 0);
  t.equal(numbers.at(-1), numbers.length + dropped, 'what is missing was counted');
  t.ok(numbers[0] > 1, 'the oldest are missing');
});

t.test(
  'a wrong password is a clear warning without the password, and the job runs',
  { skip: needsOwnLink },
  async (t) => {
    const wrong = uri.replace('guest:guest', 'guest:s%C3%A9same%3Aopen');
    const job = await operator.start(
      t,
      ['sh', '-c', 'trap "exit 6" USR1; echo ready; while :; do sleep 1000 & wait; done'],
      {
        uri: wrong,
        options: ['--debug', '-flush', '30s', '-grace', '100ms'],
      },
    );
    for (const name of ['control', 'statistics']) {
      await job.logged(
        `warn: ${name}: broker 127.0.0.1:${port}: login of user "guest" was refused: check user and password of --uri`,
      );
    }
    const commandLine = readFileSync(`/proc/${job.child.pid}/cmdline`, 'utf8');
    await job.printed('ready');
    const endedMs = performance.now();
    for (const { pid } of job.processes()) process.kill(pid, 'SIGUSR1');
    t.strictSame(await job.ended, { code: 6, signal: null });
    t.ok(performance.now() - endedMs < 1_500, 'its end does not wait');
    for (const text of [job.stderr(), commandLine]) t.notMatch(text, /same|guest:/);
  },
);

t.test('the end does not wait longer than a broker takes to refuse the login', { skip: needsOwnLink }, async (t) => {
  const job = await operator.start(t, ['true'], {
    uri: uri.replace('guest:guest', 'guest:wrong'),
    options: ['-flush', '30s'],
  });
  const tookMs = await wall(job);
  t.ok(tookMs < 10_000, `${tookMs} ms`);
  t.strictSame(await job.ended, { code: 0, signal: null });
});

t.test('a wrong password for one host does not keep the next from being used at the end', async (t) => {
  const wrong = uri.replace('guest:guest', 'guest:wrong');
  const job = await operator.start(t, ['true'], { uri: `${wrong},${uri}`, options: ['-flush', '30s'] });
  t.strictSame(await job.ended, { code: 0, signal: null });
  t.match(await job.event('exited'), { dropped: 0 });
});

t.test('a vhost that does not exist is a clear warning', { skip: needsOwnLink }, async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { uri: `${uri}/nowhere` });
  await job.logged('vhost nowhere not found');
  job.child.kill('SIGTERM');
  t.strictSame(await job.ended, { code: 143, signal: null });
});

t.test('the URI may come from PBOX_URI, which the job does not see', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'env; exec sleep 1000'], {
    uri: null,
    env: { PBOX_URI: uri, PBOX_SINT: '1h' },
  });
  await job.bound();
  t.equal((await job.ask('status')).result.sample_interval_ms, 3_600_000);
  await job.ask('kill');
  await job.ended;
  t.match(job.stdout(), /^OPERATED_JOB=/m);
  t.notMatch(job.stdout(), /PBOX_/);
});

t.test('of several hosts the first that answers is used', async (t) => {
  const proxy = await tcpProxy(t, port);
  await proxy.down();
  const job = await operator.start(t, ['sleep', '1000'], { uri: `${proxy.uriOf(uri)},${uri}` });
  await job.bound();
  t.match((await job.ask('status')).result.broker, { control: { state: 'up', broker: `127.0.0.1:${port}` } });
  await job.ask('kill');
  await job.ended;
  t.match(await job.event('exited'), { dropped: 0 });
});

t.test(
  'an exchange that does not exist is declared as a durable topic exchange, and used',
  { skip: needsOwnLink },
  async (t) => {
    const exchange = unique('exchange');
    const job = await operator.start(t, ['sleep', '1000'], { exchange, options: ['--debug'] });
    await job.logged('control: connected to broker');
    // A declaration with other properties is an error of the channel; with the same ones it is not.
    await operator.channel.assertExchange(exchange, 'topic', { durable: true, autoDelete: false, internal: false });
    const { queue } = await operator.channel.assertQueue('', { exclusive: true });
    await operator.channel.bindQueue(queue, exchange, '#');
    t.equal((await job.ask('sample')).ok, true);
    await job.ask('kill');
    await job.ended;
    const { messageCount } = await operator.channel.checkQueue(queue);
    t.ok(messageCount >= 5, `commands, samples and events go through it: ${messageCount}`);
    await operator.channel.deleteExchange(exchange);
  },
);

t.test('a login that is refused is no reason to say how long the end has waited', { skip: needsOwnLink }, async (t) => {
  const job = await operator.start(t, ['true'], {
    uri: uri.replace('guest:guest', 'guest:wrong'),
    options: ['-flush', '30s'],
  });
  await job.ended;
  t.match(
    job.stderr(),
    /messages were not delivered: the broker refused the login; the box did not wait for it at its end/,
  );
  t.notMatch(job.stderr(), /within 30 s|--flush/);
});

t.test('a broker that is out of reach is warned of once, and once at the end', { skip: needsOwnLink }, async (t) => {
  const proxy = await tcpProxy(t, port);
  await proxy.down();
  const job = await operator.start(t, ['sleep', '0.5'], { uri: proxy.uriOf(uri), options: ['-flush', '300ms'] });
  await job.ended;
  t.equal(job.stderr().match(/connection refused/g)?.length, 1, job.stderr());
  t.equal(job.stderr().match(/not delivered/g)?.length, 1);
  t.equal(job.stderr().match(/warn:/g)?.length, 2);
});

/** The default is localhost:5672, where none of the tests' brokers listens. */
const taken = await new Promise<boolean>((resolve) => {
  const socket = connect(5672, 'localhost', () => socket.end(() => resolve(true)));
  socket.on('error', () => resolve(false));
});

t.test(
  'without a broker that anybody asked for, one line says so and the end does not wait',
  {
    skip: needsOwnLink || (taken && 'something listens on the default port'),
  },
  async (t) => {
    for (const command of ['true', 'sleep 0.7']) {
      const job = await operator.start(t, ['sh', '-c', command], { uri: null, options: ['-flush', '60s'] });
      const tookMs = await wall(job);
      t.strictSame(await job.ended, { code: 0, signal: null });
      t.ok(tookMs < 20_000, `${tookMs} ms`);
      t.equal(job.stderr().match(/warn:/g)?.length, 1, job.stderr());
      t.match(
        job.stderr(),
        /connection refused.*; the job goes on without it; --uri names another broker, --uri none turns this off/,
      );
      t.notMatch(job.stderr(), /not delivered/);
    }
  },
);
