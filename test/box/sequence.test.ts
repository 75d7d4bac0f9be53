import t from 'tap';
import { Sequence } from '../../src/box/sequence.js';

t.test('a block of numbers is reserved before its first one is used', async (t) => {
  const reserved: number[] = [];
  const sequence: Sequence = new Sequence(0, () => reserved.push(sequence.reserved));
  const numbers = Array.from({ length: 200 }, () => {
    const number = sequence.next();
    t.ok(number <= reserved.at(-1)!);
    return number;
  });
  t.strictSame(
    numbers,
    Array.from({ length: 200 }, (_, index) => index + 1),
  );
  t.equal(reserved.length, 4);
});

t.test('another process begins after all that may have been used', async (t) => {
  t.equal(new Sequence(65, () => {}).next(), 66);
});
