// test-waits
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ConsumeMessage } from 'amqplib';
import t from 'tap';
import { ask, collect, foreignClient, privateBroker, sample, unique, until } from '../fixtures/broker.js';
import { openNode } from '../fixtures/node-link.js';

const broker = await privateBroker(t);
const { uri } = broker;

const ids = (messages: readonly ConsumeMessage[]) => messages.map(({ properties }) => String(properties.messageId));
/** Sequence numbers by box, in the order of their first arrival. */
function sequences(messages: readonly ConsumeMessage[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const id of new Set(ids(messages))) {
    const [, box, n] = /^(.*)-(\d+)$/.exec(id)!;
    found.set(box!, [...(found.get(box!) ?? []), Number(n)]);
  }
  return found;
}
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

t.test('200 boxes have two connections and one queue, and each is reached under each of its keys', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { link, attach, bound, key, spec } = openNode(t, uri);
  const boxes = upTo(200).map((n) => attach({ user: `u${n % 5}`, job: String(n) }, 1000 + (n % 5)));
  await bound(400);
  t.match(link.status(), { boxes: 200, control: { connections: 1 }, statistics: { connections: 1 } });
  const answersTo = async (suffix: string, count: number, target?: object) => {
    const answers = await collect(channel, '', '');
    const body = JSON.stringify({ command: 'ping', ...(target && { target }) });
    channel.publish('amq.topic', key + suffix, Buffer.from(body), { replyTo: answers.queue, messageId: unique('m') });
    await answers.count(count);
    await sleep(50);
    return answers.messages.length;
  };
  t.equal(await answersTo('', 200), 200);
  t.equal(await answersTo('.host.node1_example', 200), 200);
  t.equal(await answersTo('.user.u3', 40), 40);
  t.equal(await answersTo('', 1, { job: '7' }), 1);
  t.equal(await answersTo('.user.u2', 1, { box: boxes[1]!.id }), 1);
  t.equal(await answersTo('.job.3', 1), 1, 'the first boxes of a node get the key of their job at once');
  t.equal(await answersTo('.user.u4.job.4', 1), 1);
  t.equal(await answersTo(`.box.${boxes[0]!.id}`, 1), 1);
  t.ok(boxes.every(({ box }) => box.refusals.length === 0));

  const stats = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  for (const n of upTo(5)) for (const { link, id } of boxes) link.publish(sample(id, n));
  const found = sequences(await stats.count(1_000));
  t.equal(found.size, 200);
  for (const numbers of found.values()) t.strictSame(numbers, upTo(5));
  t.match(stats.messages[0]!.properties, {
    type: 'proc_box.stats',
    appId: 'proc_box',
    deliveryMode: 2,
    userId: 'guest',
  });
});

t.test('an idle box takes at most 20 kB', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const { attach } = openNode(t, 'amqp://127.0.0.1:1');
  attach();
  const before = used();
  const boxes = upTo(1_000).map((n) => attach({ job: String(n) }));
  const bytes = (used() - before) / boxes.length;
  t.comment(`${Math.round(bytes)} bytes with the fake box itself`);
  t.ok(bytes < 20_000);
});

t.test('the same message is carried out once for each box, and bad ones are refused by each', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { attach, bound, key } = openNode(t, uri);
  const boxes = [attach(), attach()];
  await bound();
  const answers = await collect(channel, '', '');
  const send = (body: string, messageId: string) =>
    channel.publish('amq.topic', key, Buffer.from(body), { replyTo: answers.queue, messageId, userId: 'guest' });
  send('{"command":"sample"}', 'm1');
  send('{"command":"sample"}', 'm1');
  send('boo', 'm2');
  await answers.count(6);
  for (const { box, link } of boxes) {
    t.equal(box.executed.length, 1);
    t.match(box.executed[0]!.by, { messageId: 'm1', user: 'guest' });
    t.equal(link.state().refused, 1);
    t.match(box.refusals, [{ answer: { error: { code: 'not_json' } } }]);
  }
  const forged = await ask(channel, { exchange: 'amq.topic', key }, { command: 'kill' }, { headers: { CC: ['x'] } });
  t.equal(forged.body.error.code, 'forged');
});

t.test('a box that never answers does not hold up the others', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { attach, bound, key } = openNode(t, uri);
  const { box: stuck } = attach();
  stuck.execute = () => new Promise(() => {});
  const other = attach();
  await bound();
  for (const n of upTo(300)) {
    channel.publish('amq.topic', `${key}.box.${stuck.identity.box}`, Buffer.from('{"command":"ping"}'), {
      messageId: `x${n}`,
    });
  }
  const answer = await ask(channel, { exchange: 'amq.topic', key: `${key}.box.${other.id}` }, { command: 'ping' });
  t.equal(answer.body.ok, true);
});

t.test('keys of jobs and boxes come late on a full node, and are bounded', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { link, attach, bound, key, lines } = openNode(t, uri, { lateBindMs: 1_000, lateBindingsMax: 210 });
  const boxes = upTo(80).map((n) => attach({ job: String(n), user: 'u' }));
  // K, host and user; and three keys for each of the first 64 boxes.
  await until(() => link.status().bindings.bound === 3 + 192, 'the first ones are bound');
  const last = boxes.at(-1)!;
  const to = { exchange: 'amq.topic', key };
  t.equal((await ask(channel, to, { command: 'ping' }, {})).body.ok, true);
  t.equal(
    (await ask(channel, { ...to, key: `${key}.user.u` }, { command: 'ping', target: { box: last.id } })).body.ok,
    true,
  );
  await until(() => link.status().bindings.bound === 3 + 210, 'the others are bound as far as the bound allows');
  t.match(link.status().bindings, { wanted: 3 + 240, leftOut: 30, refused: 0 });
  t.equal(lines.filter((line) => line.includes('warn') && line.includes('makes no more')).length, 1);
  await Promise.all(boxes.slice(0, 64).map(({ link }) => link.close(0)));
  await until(() => link.status().bindings.leftOut === 0, 'keys that nobody needs make room');
  await bound();
  t.match(link.status().bindings, { wanted: 3 + 48 });
  t.equal((await ask(channel, { ...to, key: `${key}.box.${last.id}` }, { command: 'ping' })).body.ok, true);
});

t.test('a user who floods delays another by a window, and loses only his own', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { attach, bound, spec, link } = openNode(t, uri, { quotas: { maxBytes: 4 * 1024 * 1024, messagesPerSec: 0 } });
  const loud = [attach({}, 1), attach({}, 1)];
  const quiet = attach({}, 2);
  await bound();
  const stats = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  const body = JSON.stringify({ text: 'x'.repeat(2_000) });
  let n = 0;
  const delays: number[] = [];
  for (const round of upTo(20)) {
    for (let count = 0; count < 1_000; count++) loud[n % 2]!.link.publish(sample(loud[n % 2]!.id, ++n, body));
    const atMs = performance.now();
    quiet.link.publish(sample(quiet.id, round));
    await quietArrives(round);
    delays.push(performance.now() - atMs);
  }
  async function quietArrives(round: number): Promise<void> {
    await until(() => quiet.link.state().outbox.messages === 0, `message ${round} is confirmed`);
  }
  delays.sort((a, b) => a - b);
  t.comment(
    `delays of the quiet one: median ${delays[10]!.toFixed(1)} ms, most ${delays.at(-1)!.toFixed(1)} ms; given up of ${n}: ${link.status().dropped}`,
  );
  t.ok(delays[10]! < 1_000);
  t.equal(quiet.link.dropped, 0);
  t.ok(loud[0]!.link.dropped + loud[1]!.link.dropped > 0);
  await until(() => link.status().outbox.messages === 0, 'everything is confirmed', 30_000);
  const left = [...loud, quiet].map((one) => one.link.dropped).reduce((sum, dropped) => sum + dropped);
  await stats.count(n + 20 - left);
  for (const [box, numbers] of sequences(stats.messages)) {
    t.strictSame(
      numbers,
      [...numbers].sort((a, b) => a - b),
      `${box} is in order`,
    );
  }
});

t.test('a rate is kept, and the burst before it', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { attach, spec } = openNode(t, uri, { quotas: { messagesPerSec: 50, burst: 20 } });
  const stats = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  const { link, id } = attach();
  for (const n of upTo(60)) link.publish(sample(id, n));
  await stats.count(20);
  const atMs = performance.now();
  await stats.count(60);
  t.ok(performance.now() - atMs > 500, '40 more take 0.8 s');
  t.strictSame(
    ids(stats.messages),
    upTo(60).map((n) => `${id}-${n}`),
  );
});

t.test('a box with an exchange that cannot be used holds up nobody else', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { attach, bound, spec, key, link, lines } = openNode(t, uri);
  const good = attach({}, 1);
  const wrong = attach({}, 2, { exchange: 'amq.fanout' });
  const own = unique('exchange');
  const other = attach({}, 3, { exchange: own });
  await until(() => link.status().bindings.refused === 6, 'the keys of the wrong one are refused');
  await bound();
  const stats = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  const elsewhere = await collect(channel, own, '#');
  for (const one of [good, wrong, other]) one.link.publish(sample(one.id, 1));
  t.strictSame(ids(await stats.count(1)), [`${good.id}-1`]);
  t.strictSame(ids(await elsewhere.count(1)), [`${other.id}-1`]);
  t.equal(
    (await ask(channel, { exchange: own, key: `${key}.box.${other.id}` }, { command: 'ping' })).body.box,
    other.id,
  );
  t.equal((await ask(channel, { exchange: 'amq.topic', key }, { command: 'ping' })).body.box, good.id);
  t.ok(lines.some((line) => line.includes('wait: ') && line.includes('amq.fanout')));
  t.match(await wrong.link.close(100), { undelivered: 1, kept: true });
  await channel.deleteExchange(own);
});

t.test('closing a box waits for its own messages only', async (t) => {
  const { channel } = await foreignClient(t, uri);
  const { attach, bound, key, link, spec } = openNode(t, uri, { quotas: { messagesPerSec: 1, burst: 1 } });
  const slow = attach({}, 1);
  const quick = attach({}, 2);
  await bound();
  const stats = await collect(channel, 'amq.topic', `${spec.statsKey}.#`);
  for (const n of upTo(3)) slow.link.publish(sample(slow.id, n));
  quick.link.publish(sample(quick.id, 1));
  t.strictSame(await quick.link.close(5_000), { undelivered: 0, spooled: null, given: 'time' });
  t.match(await slow.link.close(0), { undelivered: 2, kept: true }, 'deadline 0');
  t.equal(link.status().boxes, 0);
  slow.link.publish(sample(slow.id, 4));
  await stats.count(5);
  t.strictSame(
    ids(stats.messages).filter((id) => id.startsWith(slow.id)),
    upTo(4).map((n) => `${slow.id}-${n}`),
  );
  const late = attach({}, 3);
  await bound();
  const answer = await ask(channel, { exchange: 'amq.topic', key }, { command: 'ping' });
  t.equal(answer.body.box, late.id, 'closed ones take no commands');
});

t.test('a broker that is killed comes back: everybody is reached, nothing is lost, and order is kept', async (t) => {
  const { attach, bound, key, spec, link } = openNode(t, uri, {
    retryWaitsMs: [500, 2_000],
    outboxMaxMessages: 50_000,
  });
  const boxes = upTo(50).map((n) => attach({ job: String(n), user: `u${n % 3}` }, n % 3));
  await bound();
  const queue = unique('durable');
  {
    const { channel } = await foreignClient(t, uri);
    await channel.assertQueue(queue, { durable: true });
    await channel.bindQueue(queue, 'amq.topic', `${spec.statsKey}.#`);
  }
  let n = 0;
  const publish = () => {
    n++;
    for (const { link, id } of boxes) link.publish(sample(id, n));
  };
  const timer = setInterval(publish, 100);
  const rounds = (more: number) => {
    const last = n + more;
    return until(() => n >= last, `${more} more rounds of messages`);
  };
  await rounds(5);
  await broker.kill9();
  await rounds(5);
  await broker.start();
  await until(
    () => link.status().control.connections === 2 && link.status().statistics.state === 'up',
    'it is back',
    90_000,
  );
  await rounds(3);
  clearInterval(timer);
  await bound();
  await until(() => link.status().outbox.messages === 0, 'everything is confirmed', 30_000);
  const { channel } = await foreignClient(t, uri);
  const messages: ConsumeMessage[] = [];
  await channel.consume(queue, (message) => void messages.push(message!), { noAck: true });
  await until(() => new Set(ids(messages)).size === n * 50, 'everything has arrived', 30_000);
  const found = sequences(messages);
  t.ok([...found.values()].every((numbers) => numbers.every((number, index) => number === index + 1)));
  t.equal(link.status().dropped, 0);
  const answers = await collect(channel, '', '');
  channel.publish('amq.topic', key, Buffer.from('{"command":"ping"}'), { replyTo: answers.queue });
  t.equal(new Set((await answers.count(50)).map(({ content }) => JSON.parse(content.toString()).box)).size, 50);
  const to = { exchange: 'amq.topic', key: `${key}.box.${boxes[9]!.id}` };
  t.equal((await ask(channel, to, { command: 'ping' })).body.ok, true);
  t.comment(`${n * 50} messages, ${messages.length - n * 50} of them twice`);
});
