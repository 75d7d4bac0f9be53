import t, { type Test } from 'tap';
import { Feed, type FeedOptions } from '../../../src/observe/source/feed.js';
import type { LinkState } from '../../../src/observe/source/link.js';
import { foreignClient, sharedBroker, unique, until } from '../../fixtures/broker.js';
import { tcpProxy } from '../../fixtures/tcp-proxy.js';

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);

async function open(t: Test, more: Partial<FeedOptions> = {}) {
  const key = unique('feed');
  const states: LinkState[] = [];
  const texts: string[] = [];
  const held: (() => void)[] = [];
  const feed = new Feed({
    uris: [uri],
    socketOptions: {},
    exchange: 'amq.topic',
    bindings: [[`${key}.#`]],
    name: 'test',
    prefetch: 0,
    onMessage: (content, done) => {
      texts.push(content.toString());
      held.push(done);
    },
    onState: (state) => states.push(state),
    ...more,
  });
  t.teardown(() => feed.close());
  const publish = (text: string) => channel.publish('amq.topic', `${key}.node1`, Buffer.from(text));
  return { feed, states, texts, held, publish };
}

t.test('messages come, and nothing after the end', async (t) => {
  const { feed, states, texts, publish } = await open(t);
  await feed.open();
  t.match(states, [{ up: true, at: /^127\.0\.0\.1:/ }]);
  for (const text of ['a', 'b']) publish(text);
  await until(() => texts.length === 2 || undefined, 'both have come');
  await feed.close();
  t.strictSame(texts, ['a', 'b']);
});

t.test('with a prefetch, no more come than are acknowledged', async (t) => {
  const { feed, texts, held, publish } = await open(t, { prefetch: 2 });
  await feed.open();
  for (const text of ['a', 'b', 'c']) publish(text);
  await channel.waitForConfirms();
  await until(() => texts.length === 2 || undefined, 'two have come');
  held[0]!();
  await until(() => texts.length === 3 || undefined, 'the third has come');
});

t.test('a link that is lost is made again', async (t) => {
  const proxy = await tcpProxy(t, Number(new URL(uri).port));
  const { feed, states, texts, publish } = await open(t, { uris: [proxy.uriOf(uri)] });
  await feed.open();
  await proxy.down();
  await until(() => states.some(({ up }) => !up) || undefined, 'the loss is told');
  await proxy.up();
  await until(() => states.at(-1)!.up || undefined, 'the link is up again');
  publish('again');
  await until(() => texts.includes('again') || undefined, 'messages come again');
});

t.test('the first attempt fails with its reason', async (t) => {
  const { feed } = await open(t, { uris: ['amqp://127.0.0.1:1'] });
  await t.rejects(feed.open(), { name: 'BrokerError', message: /connection refused/ });
  const missing = await open(t, { exchange: unique('no-exchange') });
  await t.rejects(missing.feed.open(), { name: 'BrokerError', message: /exchange/ });
});
