import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Observed } from '../../../src/observe/model/observed.js';
import { parseValue } from '../../../src/observe/model/parse.js';
import { Feed } from '../../../src/observe/source/feed.js';
import { filterOf } from '../../../src/observe/source/filter.js';
import { PLAIN } from '../../../src/observe/terminal/look.js';
import { isWanted, type WatchOptions, watch } from '../../../src/observe/watch/watch.js';
import { foreignClient, sharedBroker, unique } from '../../fixtures/broker.js';
import { eventMessage, exitedMessage, sampleMessage } from '../../fixtures/observed.js';

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);
const NOW = Date.now();

/** Watches, publishes once the link is up, and returns what was printed. */
async function printed(t: Test, more: Partial<WatchOptions>, messages: readonly (object | string)[]) {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const key = unique('watch');
  const options: WatchOptions = {
    feed: (handlers) =>
      new Feed({
        ...handlers,
        uris: [uri],
        socketOptions: {},
        exchange: 'amq.topic',
        bindings: [[`${key}.#`]],
        name: 'test',
        prefetch: 500,
      }),
    filter: filterOf([]),
    only: [],
    json: false,
    look: PLAIN,
    count: undefined,
    until: undefined,
    forMs: undefined,
    onState: () => {
      for (const body of messages)
        channel.publish('amq.topic', `${key}.n`, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
    },
    ...more,
  };
  const path = join(folder, 'out');
  const end = await watch(options, openSync(path, 'w'));
  return { end, lines: readFileSync(path, 'utf8').split('\n').slice(0, -1) };
}
const messages = [
  'no message',
  sampleMessage({ box: 'b1' }, 1, NOW),
  eventMessage({ box: 'b2', user: 'bob' }, 1, NOW, 'suspended', { by: { via: 'amqp' } }),
  exitedMessage({ box: 'b1' }, 2, NOW),
  sampleMessage({ box: 'b1' }, 3, NOW),
];

t.test('lines, until an event', async (t) => {
  const { end, lines } = await printed(t, { until: 'exited' }, messages);
  t.equal(end, 'seen');
  t.equal(lines.length, 3);
  t.match(lines, [/ alice .* sample: /, / bob .* suspended by a message$/, / alice .* ended: /]);
});

t.test('filters by box and kind, and counts what it shows', async (t) => {
  const { end, lines } = await printed(
    t,
    { filter: filterOf([['user', 'alice']]), only: ['sample'], count: 2 },
    messages,
  );
  t.equal(end, 'counted');
  t.equal(lines.length, 2);
});

t.test('JSON as it came, with every digit, and nothing that a terminal obeys', async (t) => {
  const text = JSON.stringify(sampleMessage({ box: 'b1' }, 1, NOW, { UserData: 0 })).replace(
    '"UserData":0',
    '"UserData":{"id":123456789012345678901, "x":"\u202e"}',
  );
  const { lines } = await printed(t, { json: true, count: 1 }, [text]);
  t.match(lines[0], '"UserData":{"id":123456789012345678901,"x":"\\u202e"}');
});

t.test('ends after a time', async (t) => t.equal((await printed(t, { forMs: 1 }, [])).end, 'over'));

t.test('kinds', async (t) => {
  const [sample, event] = [messages[1], messages[2]].map((one) => parseValue(one) as Observed) as [Observed, Observed];
  t.ok(
    isWanted(sample, []) &&
      isWanted(sample, ['sample']) &&
      isWanted(event, ['event']) &&
      isWanted(event, ['suspended']),
  );
  t.notOk(isWanted(sample, ['event']) || isWanted(event, ['sample', 'exited']));
});
