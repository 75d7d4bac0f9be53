import fc from 'fast-check';
import t from 'tap';
import { Ranges } from '../../../../src/observe/collector/store/ranges.js';

t.test('numbers in any order become ranges, each counted once', async (t) => {
  const ranges = Ranges.empty();
  t.equal(ranges.last, 0);
  const added = [5, 1, 2, 4, 3, 3, 9, 8, 5].map((number) => ranges.add(number));
  t.strictSame(added, [true, true, true, true, true, false, true, true, false]);
  t.equal(ranges.toString(), '1-5,8-9');
  t.equal(ranges.count, 7);
  t.equal(ranges.last, 9);
  t.ok(ranges.has(4) && ranges.has(8));
  t.notOk(ranges.has(6) || ranges.has(10) || ranges.has(0));
});

t.test('they behave like a set, also through their text', async () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (numbers) => {
      const [ranges, set] = [Ranges.empty(), new Set<number>()];
      for (const number of numbers) {
        if (ranges.add(number) === set.has(number)) return false;
        set.add(number);
      }
      const again = Ranges.parse(ranges.toString());
      const all = Array.from({ length: 62 }, (_, number) => number);
      return again.count === set.size && all.every((number) => again.has(number) === set.has(number));
    }),
  );
});

t.test('what is no text of ranges reads as empty', async (t) => {
  for (const text of ['', 'x', '1-', '1,,2', '-3']) t.equal(Ranges.parse(text).count, 0, text);
  t.equal(Ranges.parse('1-120,122').count, 121);
});

t.test('gaps are bounded: the oldest one closes', async (t) => {
  const ranges = Ranges.empty();
  for (let number = 1; number < 10_000; number += 2) ranges.add(number);
  t.ok(ranges.toString().split(',').length <= 1_024);
  t.ok(ranges.has(2), 'it counts as seen');
  t.notOk(ranges.has(9_998));
});
