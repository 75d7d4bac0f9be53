import t from 'tap';
import { BoxQueue, Parcel, User } from '../../src/node-link/box-queue.js';
import { TokenBucket } from '../../src/node-link/token-bucket.js';
import { sample } from '../fixtures/broker.js';

function make() {
  const user = new User(1, new TokenBucket(0, 1));
  const queue = () =>
    new BoxQueue(user, () => ({ exchange: '', routingKey: '', content: Buffer.alloc(0), options: {} }));
  const wait = (to: BoxQueue, n: number) => {
    const parcel = new Parcel(sample('b', n, 'xx'), to, 10);
    to.wait(parcel);
    return parcel;
  };
  return { user, queue, wait };
}

t.test('the oldest message of a user is found among all of his boxes', async (t) => {
  const { user, queue, wait } = make();
  const [one, two] = [queue(), queue()];
  const [a, b, c] = [wait(one, 1), wait(two, 2), wait(one, 3)];
  t.equal(user.oldest, a);
  one.hand();
  t.equal(user.oldest, b);
  t.equal(two.takeWaiting(), b);
  t.equal(user.oldest, c);
  t.strictSame([user.bytes, one.bytes, one.length], [36, 24, 2]);
  two.forget(b);
  t.strictSame([user.bytes, two.bytes, two.length], [24, 0, 0]);
});

t.test('what is in the spool comes before what waits', async (t) => {
  const { queue, wait } = make();
  const one = queue();
  one.spilled = 1;
  const waiting = wait(one, 2);
  t.notOk(one.isReady);
  one.spilled = 0;
  const returned = new Parcel(sample('b', 1), one, 10);
  one.giveBack(returned);
  t.ok(one.isReady);
  t.strictSame([one.hand(), one.hand()], [returned, waiting]);
  let isDrained = false;
  const drained = one.drained().then(() => {
    isDrained = true;
  });
  for (const parcel of [returned, waiting]) {
    t.notOk(isDrained);
    one.forget(parcel);
    one.settle();
  }
  await drained;
});
