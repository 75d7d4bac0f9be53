import { createServer, type ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import { Collector } from '../../../src/observe/source/collector.js';
import { CollectorFeed, type CollectorFeedOptions } from '../../../src/observe/source/collector-feed.js';
import type { LinkState } from '../../../src/observe/source/link.js';
import { until } from '../../fixtures/processes.js';

/** A collector that a test writes for, and a feed from it. */
async function site(t: Test, more: Partial<CollectorFeedOptions> = {}) {
  const asked: (string | undefined)[] = [];
  const open: ServerResponse[] = [];
  const server = createServer(({ url }, response) => {
    asked.push(url);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write('retry: 2000\n\n');
    open.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const texts: string[] = [];
  const held: (() => void)[] = [];
  const states: LinkState[] = [];
  const left: number[] = [];
  const feed = new CollectorFeed({
    collector: new Collector(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`),
    query: { user: 'alice', job: undefined },
    prefetch: 2,
    onMessage: (content, done) => {
      texts.push(content.toString());
      held.push(done);
    },
    onState: (state) => states.push(state),
    onLeftOut: (count) => left.push(count),
    ...more,
  });
  t.teardown(async () => {
    await feed.close();
    server.closeAllConnections();
    server.close();
  });
  return { feed, asked, open, texts, held, states, left };
}

t.test('events, however they are cut', async (t) => {
  const { feed, asked, open, texts, states, left } = await site(t, { prefetch: 10 });
  await feed.open();
  t.strictSame(asked, ['/api/v1/messages/stream?user=alice']);
  t.match(states, [{ up: true, at: /^http:/ }]);
  const bytes = Buffer.from(
    ': alive\n\nevent: message\ndata: {"a":"ü"}\n\nevent: left_out\ndata: {"messages":7}\n\nevent: other\ndata: 1\n\nevent: message\ndata: 2\n\n',
  );
  for (const byte of bytes) open[0]!.write(Buffer.of(byte));
  await until(() => texts.length === 2, 'both have come');
  t.strictSame(texts, ['{"a":"ü"}', '2']);
  t.strictSame(left, [7]);
});

t.test('no more is read than is dealt with', async (t) => {
  const { feed, open, texts, held } = await site(t);
  await feed.open();
  open[0]!.write('event: message\ndata: 1\n\nevent: message\ndata: 2\n\n');
  await until(() => texts.length === 2, 'two have come');
  open[0]!.write('event: message\ndata: 3\n\n');
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(texts.length, 2, 'the third waits');
  held[0]!();
  await until(() => texts.length === 3, 'the third has come');
});

t.test('a stream that is cut is opened again, and a closed feed says nothing more', async (t) => {
  const { feed, open, states, texts } = await site(t);
  await feed.open();
  open[0]!.destroy();
  await until(() => states.length === 3, 'it is there again');
  t.match(states, [{ up: true }, { up: false, why: /^collector http:.*: / }, { up: true }]);
  await feed.close();
  open[1]!.write('event: message\ndata: 1\n\n');
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(texts, []);
});

t.test('what goes wrong at the start is one clear line', async (t) => {
  const fails = async (status: number, body: string, message: RegExp) => {
    const server = createServer((_, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const address = server.address();
    const collector = new Collector(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
    await t.rejects((await site(t, { collector })).feed.open(), { name: 'EnvironmentError', message });
  };
  await fails(401, '', /does not recognize you/);
  await fails(404, '<html>', /HTTP status 404: is it a collector\?/);
  await fails(200, '{}', /is it a collector\?/);
  await fails(503, '{"detail": "standing by"}', /standing by/);
});
