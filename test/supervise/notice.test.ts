import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Notice, tellUnboxed } from '../../src/supervise/notice.js';
import { collect, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** The event of a job that runs without a box, to a real broker. */

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);

/** @param words before the command */
function notice(words: readonly string[], more: Partial<Notice> = {}): Notice {
  return {
    words,
    settings: ['PBOX_CONFIG=none'],
    environment: {},
    why: 'PBOX_MEMORY: "much" is no size',
    loadYaml: () => createRequire(import.meta.url)('yaml'),
    ...more,
  };
}

/** Keys of events that no other test has, and what arrives there. */
async function events() {
  const key = unique('events');
  return { key, arrived: await collect(channel, 'amq.topic', `${key}.#`) };
}

/** A port on which something listens that says nothing. */
async function silence(t: Test): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return `amqp://guest:guest@127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

t.test('the event names the job and why it has no box', async (t) => {
  const { key, arrived } = await events();
  const environment = { SLURM_JOB_ID: '4711', SLURM_STEP_ID: '2', SLURM_PROCID: '0' };
  await tellUnboxed(notice(['--uri', uri, '--ekey', key], { environment }));
  const [message] = await arrived.count(1);
  const body = JSON.parse(String(message!.content));
  t.match(body, {
    event: 'unboxed',
    sequence: 1,
    state: 'running',
    why: 'PBOX_MEMORY: "much" is no size',
    identity: { scheduler: 'slurm', job: '4711', step: '2', task: '0' },
  });
  t.strictSame(schemaErrors('event', body), []);
  t.match(message, {
    fields: { routingKey: new RegExp(`^${key}\\.`) },
    properties: { messageId: `${body.identity.box}-1`, type: 'proc_box.event', appId: 'proc_box', deliveryMode: 2 },
  });
});

t.test('options that name the broker count, although others are wrong', async (t) => {
  const { key, arrived } = await events();
  const settings = ['PBOX_CONFIG=none', `PBOX_URI=${uri}`, 'PBOX_MEMORY=much', 'PBOX_BOO=1'];
  await tellUnboxed(notice(['--mmeory', '1G', '--timeout', 'soon', '-ekey', key], { settings }));
  await arrived.count(1);
  t.equal(arrived.messages.length, 1);
});

t.test('a config file that cannot be read is left out', async (t) => {
  const { key, arrived } = await events();
  const folder = t.testdir({ 'bad.yaml': 'uri: [', 'good.yaml': `uri: ${uri}\nekey: ${key}\n` });
  await tellUnboxed(notice(['--config', join(folder, 'good.yaml')], { settings: [] }));
  await arrived.count(1);
  const words = ['--config', join(folder, 'bad.yaml'), '--uri', uri, '--ekey', key];
  await tellUnboxed(notice(words, { settings: [] }));
  t.equal((await arrived.count(2)).length, 2);
});

t.test('one broker after the other is tried, until one has the event', async (t) => {
  const { key, arrived } = await events();
  const uris = `amqp://guest:guest@127.0.0.1:1,${uri},${uri}`;
  await tellUnboxed(notice(['--uri', uris, '--ekey', key]));
  await arrived.count(1);
  // What came before this one has arrived.
  channel.publish('amq.topic', `${key}.last`, Buffer.from('last'));
  t.equal((await arrived.count(2)).length, 2);
});

t.test('a broker that says nothing is given up after two seconds', async (t) => {
  const began = performance.now();
  await tellUnboxed(notice(['--uri', await silence(t)]));
  const tookMs = performance.now() - began;
  t.ok(tookMs > 1_500 && tookMs < 10_000, `${tookMs} ms`);
});

t.test('it never rejects', async (t) => {
  for (const words of [['--uri', 'none'], ['--uri', 'boo://x'], []]) await tellUnboxed(notice(words));
  const loadYaml = () => {
    throw new Error('dist/yaml.cjs: ENOENT');
  };
  const folder = t.testdir({ 'c.yaml': 'uri: none\n' });
  await tellUnboxed(notice(['--config', join(folder, 'c.yaml')], { settings: ['PBOX_URI=none'], loadYaml }));
  t.pass('every call has resolved');
});
