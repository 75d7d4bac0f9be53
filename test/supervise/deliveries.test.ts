import t from 'tap';
import { createDeliveries } from '../../src/supervise/deliveries.js';
import { virtualTime } from '../fixtures/virtual-time.js';

const TERM = 15;
const sent = (atMs: number, pid = 7, signal = TERM) => ({ signal, pid, uid: 0, atMs });
const seen = (atMs: number, pid = 7, signal = TERM) => ({ type: 'witnessed', signal, pid, atMs }) as const;

t.test('what the keeper has seen before the wrapper has reached the job', async (t) => {
  const deliveries = createDeliveries(() => 0);
  deliveries.witnessed(seen(100));
  t.equal(await deliveries.reachedJob(sent(101)), true);
});

t.test('where the wrapper is first it waits for the keeper, within the time that it may take', async (t) => {
  const time = virtualTime(t);
  const deliveries = createDeliveries(() => 200);
  const reached = deliveries.reachedJob(sent(0));
  await time.advance(150);
  deliveries.witnessed(seen(150));
  t.equal(await reached, true);

  const alone = deliveries.reachedJob(sent(5000));
  await time.advance(200);
  t.equal(await alone, false);
});

t.test('what a front end has passed on without an agent has reached the job', async (t) => {
  t.equal(await createDeliveries(() => 200).reachedJob({ ...sent(0), reached: true }), true);
});

t.test('with no time to wait the answer comes at once', async (t) => {
  t.equal(await createDeliveries(() => 0).reachedJob(sent(0)), false);
});

t.test('another signal, another sender or another time is another delivery', async (t) => {
  const deliveries = createDeliveries(() => 0);
  for (const by of [seen(100, 7, 10), seen(100, 8), seen(100 + 1001)]) deliveries.witnessed(by);
  t.equal(await deliveries.reachedJob(sent(100)), false);
});

t.test('one that the keeper saw stands for one at the wrapper, or for a burst of them', async (t) => {
  const deliveries = createDeliveries(() => 0);
  deliveries.witnessed(seen(100));
  t.equal(await deliveries.reachedJob(sent(100)), true);
  t.equal(await deliveries.reachedJob(sent(105)), true, 'the keeper was not scheduled in between');
  t.equal(await deliveries.reachedJob(sent(150)), false, 'a second one, to the wrapper alone');
  deliveries.witnessed(seen(160));
  t.equal(await deliveries.reachedJob(sent(160)), true);
});

t.test('many that nobody asks for are forgotten', async (t) => {
  const deliveries = createDeliveries(() => 0);
  deliveries.witnessed(seen(1));
  for (let n = 0; n < 40; n++) deliveries.witnessed(seen(1, 7, 10));
  t.equal(await deliveries.reachedJob(sent(1)), false);
});
