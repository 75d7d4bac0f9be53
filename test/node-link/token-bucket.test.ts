import t from 'tap';
import { TokenBucket } from '../../src/node-link/token-bucket.js';

t.test('a burst passes at once, and then so many a second', async (t) => {
  let nowMs = 0;
  const bucket = new TokenBucket(10, 3, () => nowMs);
  const taken = () => Array.from({ length: 5 }, () => bucket.take()).filter(Boolean).length;
  t.equal(taken(), 3);
  t.equal(Math.round(bucket.waitMs), 100);
  nowMs += 100;
  t.equal(taken(), 1);
  nowMs += 60_000;
  t.equal(taken(), 3, 'no more than the burst is saved up');
});

t.test('0 a second means no limit', async (t) => {
  const bucket = new TokenBucket(0, 1);
  t.ok(Array.from({ length: 100 }, () => bucket.take()).every(Boolean));
});
