import fc from 'fast-check';
import t from 'tap';
import { rowWindow } from '../../../../src/observe/page/data/window.js';

t.test('only rows near the screen exist', async (t) => {
  t.strictSame(rowWindow(40_000, 40, -200, 800), { first: 0, end: 23 }, 'the table begins below the upper edge');
  t.strictSame(rowWindow(40_000, 40, 800_000, 800), { first: 19_992, end: 20_028 });
  t.strictSame(rowWindow(40_000, 40, 40_000 * 40 - 800, 800), { first: 39_972, end: 40_000 });
  t.strictSame(rowWindow(0, 40, 0, 800), { first: 0, end: 0 });
});

t.test('never more rows than there are, and never a screen without its rows', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.integer({ min: -5000, max: 5_000_000 }),
        fc.integer({ min: 1, max: 3000 }),
        (count, top, height) => {
          const { first, end } = rowWindow(count, 40, top, height);
          return first >= 0 && first <= end && end <= count && end - first <= height / 40 + 20;
        },
      ),
    ),
  );
});
