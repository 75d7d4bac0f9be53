import t from 'tap';
import { LiveMessages } from '../../../../src/observe/collector/api/live-messages.js';
import { readMessages } from '../../../../src/observe/collector/api/query.js';
import type { Observed } from '../../../../src/observe/model/observed.js';
import { eventOf, START_MS, sampleOf } from '../../../fixtures/collected.js';
import { type FakeResponse, fakeStream } from '../../../fixtures/event-stream.js';

function watching(query: Record<string, string>, visibleTo: string | null = null) {
  const messages = new LiveMessages(() => START_MS);
  const { response, stream } = fakeStream();
  const end = messages.watch(readMessages(query, visibleTo), stream);
  const take = async (...taken: readonly Observed[]) => {
    for (const message of taken) messages.take(message, Buffer.from(`{ "of": "${message.identity.box}" }\n`));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { messages, response, end, take };
}
const seen = (response: FakeResponse) => response.data('message');

const of = (box: string) => JSON.stringify({ of: box });
const [one, two, started] = [
  sampleOf({ box: 'b1', job: '7_1', user: 'alice', host: 'node1' }, 1),
  sampleOf({ box: 'b2', job: '8', user: 'bob', host: 'node2' }, 1),
  eventOf({ box: 'b3', job: '7', user: 'alice', host: 'node2' }, 1, 'started'),
];

t.test('everybody gets what they may see and have asked for, as it was published', async (t) => {
  const cases: readonly (readonly [Record<string, string>, string | null, string[]])[] = [
    [{}, null, ['b1', 'b2', 'b3']],
    [{}, 'alice', ['b1', 'b3']],
    [{ user: 'bob' }, 'alice', []],
    [{ job: '7' }, null, ['b1', 'b3']],
    [{ host: 'node2' }, null, ['b2', 'b3']],
    [{ samples: 'false' }, null, ['b3']],
    [{ events: 'false' }, null, ['b1', 'b2']],
  ];
  for (const [query, visibleTo, boxes] of cases) {
    const { response, take, end } = watching(query, visibleTo);
    await take(one, two, started);
    t.strictSame(seen(response), boxes.map(of), JSON.stringify([query, visibleTo]));
    end();
  }
  t.throws(() => readMessages({ sample: 'true' }, null), /unknown parameter "sample"/);
});

t.test('a client that does not read loses messages, and hears how many', async (t) => {
  const { response, take, end, messages } = watching({});
  response.writableLength = 2 << 20;
  await take(one, two);
  await take(one);
  t.strictSame(seen(response), []);
  response.writableLength = 0;
  await take(started);
  t.match(response.text, /event: left_out\ndata: \{"messages":3\}\n\nevent: message\n/);
  t.strictSame(seen(response), [of('b3')]);
  await take(one);
  t.equal(response.text.split('left_out').length, 2, 'once');
  end();
  t.equal(messages.watchers, 0);
});
