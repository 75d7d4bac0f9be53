import t from 'tap';
import { LivePages } from '../../../../src/observe/collector/api/live-pages.js';
import { readTable } from '../../../../src/observe/collector/api/query.js';
import { Boxes } from '../../../../src/observe/collector/live/boxes.js';
import { runningBox, START_MS, sampleOf } from '../../../fixtures/collected.js';
import { type FakeResponse, fakeStream } from '../../../fixtures/event-stream.js';

const pagesOf = (response: FakeResponse) => response.data('page').map((data) => JSON.parse(data));

t.test('a watcher gets every row first, and then what has changed', async (t) => {
  const boxes = new Boxes();
  let nowMs = START_MS;
  const pages = new LivePages(boxes, () => nowMs);
  const [one, two] = [runningBox({ box: 'a', job: '1' }), runningBox({ box: 'b', job: '2' })];
  boxes.add(one);
  boxes.add(two);
  const watched = fakeStream();
  const end = pages.watch(readTable({ sort: 'job' }, null), watched.stream);
  t.teardown(end);
  t.strictSame(
    pagesOf(watched.response)[0].rows.map(({ box }: { box: string }) => box),
    ['a', 'b'],
  );
  nowMs += 1_000;
  pages.tick();
  t.equal(pagesOf(watched.response).length, 1, 'nothing has changed');
  two.apply(sampleOf({ box: 'b', job: '2' }, 2, { CPUPercent: 5 }), nowMs);
  boxes.remove(one);
  nowMs += 1_000;
  pages.tick();
  t.match(pagesOf(watched.response)[1], { order: ['b'], matching: 1, rows: [{ box: 'b', cpu_percent: 5 }] });
});

t.test('a watcher that does not read is skipped, and dropped after a minute', async (t) => {
  const { response, stream: slow } = fakeStream();
  response.writableLength = 2 << 20;
  t.notOk(slow.isReady(0));
  t.notOk(slow.isReady(59_000));
  t.notOk(response.destroyed);
  slow.isReady(61_000);
  t.ok(response.destroyed);
});

t.test('a part of 40,000 boxes is made in little time, and once for all who look', async (t) => {
  const boxes = new Boxes();
  for (let index = 0; index < 40_000; index++)
    boxes.add(runningBox({ box: `b${index}`, job: `${index >> 2}`, user: `u${index % 100}` }));
  const pages = new LivePages(boxes, () => START_MS);
  const query = readTable({ sort: '-cpu_percent', limit: '100' }, null);
  const page = pages.page(query);
  t.equal(page.matching, 40_000);
  t.equal(page.rows.length, 100);
  t.equal(pages.page(query).totals, page.totals, 'the same totals');
  t.equal(pages.page(readTable({ q: 'U7' }, null)).matching, 11 * 400, 'u7 and u70 to u79');
  t.equal(pages.page(readTable({}, 'u7')).matching, 400);
});
