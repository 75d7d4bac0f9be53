// test-timeout: 400s
import type { GetMessage } from 'amqplib';
import t, { type Test } from 'tap';
import { needsOwnLink, THROUGH_AGENT } from '../fixtures/agent.js';
import { type ForeignChannel, privateBroker, unique, until } from '../fixtures/broker.js';
import { connectOperator, type Json, type Operator, untilAnswered } from '../fixtures/operated-job.js';

/** What survives the end of the broker, and what is left on it at the end of a box. */

const broker = await privateBroker(t);

t.test('an end of the broker, orderly or by SIGKILL, loses no sample and no event', async (t) => {
  const operator = await connectOperator(t, broker.uri);
  const name = unique('kept');
  await operator.channel.assertQueue(name, { durable: true });
  for (const part of ['stats', 'events']) await operator.channel.bindQueue(name, 'amq.topic', `${name}.${part}.#`);
  const options = [
    '-sint',
    '50ms',
    '--flush',
    '30s',
    '-rkey',
    `${name}.ctl`,
    '-skey',
    `${name}.stats`,
    '-ekey',
    `${name}.events`,
  ];
  const job = await operator.start(t, ['sleep', '1000'], { options });
  for (const end of ['down', 'kill9'] as const) {
    await delivered(t, `${name}.ctl`);
    await broker[end]();
    await broker.start();
  }
  const { send, channel } = await delivered(t, `${name}.ctl`);
  await send(`${name}.ctl`, { command: 'kill' });
  t.strictSame(await job.ended, { code: 137, signal: null });

  const messages = await drain(channel, name);
  const numbers = [...new Set(messages.map(({ properties }) => Number(properties.messageId.split('-')[1])))];
  t.ok(numbers.length > 40, `${numbers.length} messages`);
  t.strictSame(
    numbers,
    numbers.map((_, index) => index + 1),
    'none lost, none out of order',
  );
  // What was in flight at each end of the broker.
  t.ok(messages.length - numbers.length <= 4, `${messages.length - numbers.length} came twice`);
  const last: Json = JSON.parse(messages.at(-1)!.content.toString());
  t.match(last, { event: 'exited', reason: 'killed', dropped: 0 }, job.stderr());
  await channel.deleteQueue(name);
});

t.test('a SIGKILL of the wrapper leaves no queue, no connection and no process', { skip: needsOwnLink }, async (t) => {
  const operator = await connectOperator(t, broker.uri);
  const job = await operator.start(t, ['sh', '-c', 'setsid sleep 1000 & sleep 1001; :']);
  await job.bound();
  await until(() => job.processes().length === 3, 'the job runs');
  t.match(await broker.ctl('list_queues', 'name', 'exclusive'), /^proc_box\.ctl\.\S+\ttrue$/m);
  job.child.kill('SIGKILL');
  t.strictSame(await job.ended, { code: null, signal: 'SIGKILL' });
  await until(() => job.processes().length === 0, 'nothing of the job lives');
  await t.rejects(gone(operator, job.key), /unroutable/);
  t.notMatch(await broker.ctl('list_queues', 'name'), /proc_box/);
  t.notMatch(await broker.ctl('list_connections', 'client_properties'), /proc_box/);
});

t.test('the end of a box leaves no queue and no connection', { skip: needsOwnLink }, async (t) => {
  const operator = await connectOperator(t, broker.uri);
  const jobs = await Promise.all([1, 2, 3].map(() => operator.start(t, ['sleep', '0.3'])));
  await Promise.all(jobs.map((job) => job.ended));
  const short = await Promise.all([1, 2, 3].map(() => operator.start(t, ['true'])));
  await Promise.all(short.map((job) => job.ended));
  t.notMatch(await broker.ctl('list_queues', 'name'), /proc_box/);
  t.notMatch(await broker.ctl('list_connections', 'client_properties'), /proc_box/);
});

/** Waits until the box has its queue again, and nothing to deliver but what came with the question. */
async function delivered(t: Test, key: string): Promise<Operator> {
  const operator = await connectOperator(t, broker.uri);
  const ask = () => operator.send(key, { command: 'status' });
  // After an end of the broker, agents come back one after the other.
  let status = await untilAnswered(ask, THROUGH_AGENT ? 120_000 : undefined);
  // Each question is an event itself: asked without a pause, they would keep the outbox full.
  while (status.body.result.broker.outbox.messages > 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    status = await ask();
  }
  return operator;
}

/** The broker learns of the end a moment after the process is gone. */
async function gone(operator: Awaited<ReturnType<typeof connectOperator>>, key: string): Promise<void> {
  for (;;) {
    // Swallowed by the queue of a dead box: no answer ever comes.
    const answer = operator.send(key, { command: 'ping' });
    const late = new Promise<'late'>((resolve) => setTimeout(resolve, 100, 'late'));
    if ((await Promise.race([answer, late])) !== 'late') return;
    answer.catch(() => {});
  }
}

async function drain(channel: ForeignChannel, queue: string): Promise<GetMessage[]> {
  const messages: GetMessage[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return messages;
    messages.push(message);
  }
}
