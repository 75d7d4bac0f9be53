import type { ConsumeMessage } from 'amqplib';
import t from 'tap';
import { type CtlRequest, parseCtl } from '../../../src/cli/ctl/options.js';
import { sendCommand } from '../../../src/cli/ctl/send.js';
import { foreignClient, sharedBroker, unique, until } from '../../fixtures/broker.js';
import { answerOf, ctlInput, fakeBoxes } from '../../fixtures/ctl.js';
import { tcpProxy } from '../../fixtures/tcp-proxy.js';

/** One command over the wire, to a foreign client that plays the boxes. */

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);
const port = Number(new URL(uri).port);

/** What `proc_box ctl` makes of these words. */
function requests(words: readonly string[], at = uri): readonly CtlRequest[] {
  const parsed = parseCtl(ctlInput(['--uri', at, ...words]));
  if (parsed.kind !== 'send') throw new Error('no request');
  return parsed.requests;
}

/** Every answer counts. */
async function send(words: readonly string[], { at = uri, id = unique('ctl') } = {}) {
  const answers: string[] = [];
  const { outcome, request } = await sendCommand(requests(words, at), id, (text) => answers.push(text) > 0);
  return { outcome, request, answers };
}

t.test('publishes with an id, an expiration, and the user that the broker has checked', async (t) => {
  const { key, messages } = await fakeBoxes(t, channel, () => [answerOf('b')]);
  const sent = await send(['--rkey', key, '--box', 'b', '--wait', '7s', 'ping'], { id: 'ctl-1' });
  t.match(sent, { outcome: 'complete', answers: [/"box":"b"/] });
  const [{ properties, content }] = messages as [ConsumeMessage];
  t.match(properties, {
    messageId: 'ctl-1',
    correlationId: 'ctl-1',
    replyTo: /^amq\.rabbitmq\.reply-to\./,
    contentType: 'application/json',
    type: 'proc_box.command',
    appId: 'proc_box ctl',
    userId: 'guest',
  });
  t.ok(Number(properties.expiration) > 6_000 && Number(properties.expiration) <= 7_000, properties.expiration);
  t.equal(content.toString(), '{"command":"ping"}');
});

t.test('with --wait 0 no answer is asked for, and the broker keeps the command for a minute at most', async (t) => {
  const { key, messages } = await fakeBoxes(t, channel, () => []);
  t.match(await send(['--rkey', key, '--all', '--wait', '0', 'kill']), { outcome: 'waited', answers: [] });
  await until(() => messages.length > 0, 'the command has arrived');
  t.match(messages, [{ properties: { replyTo: undefined, expiration: '60000' } }]);
  t.match(await send(['--rkey', unique('nobody'), '--all', '--wait', '0', 'kill']), { outcome: 'unroutable' });
});

t.test('answers to other commands and answers that do not count do not end the wait', async (t) => {
  const { key } = await fakeBoxes(t, channel, ({ properties: { replyTo } }, count) => {
    channel.sendToQueue(replyTo, Buffer.from('another'), { correlationId: 'another' });
    return count === 1 ? ['boo', answerOf('b')] : [];
  });
  const seen: string[] = [];
  const { outcome } = await sendCommand(
    requests(['--rkey', key, '--box', 'b', '--wait', '10s', 'ping']),
    'mine',
    (text) => {
      seen.push(text);
      return text !== 'boo';
    },
  );
  t.equal(outcome, 'complete');
  t.match(seen, ['boo', /"box":"b"/]);
});

t.test('--resend sends the same message again until it is answered', async (t) => {
  const { key, messages } = await fakeBoxes(t, channel, (_, count) => (count < 3 ? [] : [answerOf('b')]));
  const sent = await send(['--rkey', key, '--box', 'b', '--wait', '10s', '--resend', '30ms', 'ping']);
  t.equal(sent.outcome, 'complete');
  t.ok(messages.length >= 3, 'one more may be on its way when the answer comes');
  t.equal(new Set(messages.map(({ properties }) => properties.messageId)).size, 1);
});

t.test('--resend gives up at the end of the wait', async (t) => {
  const words = ['--rkey', unique('nobody'), '--all', '--wait', '150ms', '--resend', '20ms', 'ping'];
  t.match(await send(words), { outcome: 'unroutable', answers: [] });
});

t.test('a key without a box and a missing exchange are noticed at once', async (t) => {
  const began = performance.now();
  t.match(await send(['--rkey', unique('nobody'), '--all', '--wait', '10s', 'ping']), { outcome: 'unroutable' });
  t.match(await send(['--exchange', unique('nowhere'), '--all', '--wait', '10s', 'ping']), { outcome: 'unroutable' });
  t.ok(performance.now() - began < 9_000);
  const back = unique('back');
  await t.rejects(send(['--reply-exchange', back, '--all', 'ping']), {
    name: 'BrokerError',
    message: `--reply-exchange: exchange "${back}" does not exist: ask the site to declare it`,
  });
});

t.test('answers can come through --reply-exchange, and the queue does not stay', async (t) => {
  const back = unique('back');
  await channel.assertExchange(back, 'topic', { durable: false });
  t.teardown(() => channel.deleteExchange(back));
  const { key, messages } = await fakeBoxes(t, channel, ({ properties: { replyTo, correlationId } }) => {
    channel.publish(back, replyTo, Buffer.from(JSON.stringify(answerOf('b'))), { correlationId });
    return [];
  });
  const sent = await send(['--rkey', key, '--reply-exchange', back, '--box', 'b', '--wait', '10s', 'ping']);
  t.match(sent, { outcome: 'complete', answers: [/"box":"b"/] });
  const { replyTo } = messages[0]!.properties;
  t.match(replyTo, /^proc_box\.reply\.guest\.[0-9a-f]{16}$/);
  const { channel: other } = await foreignClient(t, uri);
  await t.rejects(other.checkQueue(replyTo), /NOT_FOUND/);
});

t.test('a connection that breaks while answers are awaited is an error', async (t) => {
  const proxy = await tcpProxy(t, port);
  const { key } = await fakeBoxes(t, channel, () => {
    proxy.reset();
    return [];
  });
  await t.rejects(send(['--rkey', key, '--all', '--wait', '10s', 'ping'], { at: proxy.uriOf(uri) }), {
    name: 'BrokerError',
    message: /the connection was lost/,
  });
});

t.test('a broker that stops answering is given up; the error says that the command may have arrived', async (t) => {
  const proxy = await tcpProxy(t, port);
  const { key } = await fakeBoxes(t, channel, () => {
    proxy.blackhole(true);
    return [];
  });
  // The confirm is lost.
  proxy.delay(20);
  await t.rejects(send(['--rkey', key, '--all', '--wait', '300ms', 'ping'], { at: proxy.uriOf(uri) }), {
    name: 'BrokerError',
    message:
      /^broker \S+: it has not confirmed the command; given up after 0\.3 s \(--wait\); the command may still be/,
  });
});

t.test('the next address is tried only after a missing permission', async (t) => {
  const { key } = await fakeBoxes(t, channel, () => [answerOf('b')]);
  const [request] = requests(['--rkey', key, '--box', 'b', '--wait', '10s', 'ping']);
  const [elsewhere] = requests(['--exchange', unique('nowhere'), '--all', 'ping']);
  t.match(
    await sendCommand([elsewhere!, request!], 'one', () => true),
    { outcome: 'unroutable' },
    'an exchange that is missing ends the attempt',
  );
  await t.rejects(
    sendCommand([], 'none', () => true),
    { name: 'SpecError' },
  );
});
