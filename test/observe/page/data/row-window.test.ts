import t from 'tap';
import type { BoxPageDelta } from '../../../../src/observe/model/api.js';
import { createRowWindow, WINDOW_ROWS, windowOffset } from '../../../../src/observe/page/data/row-window.js';
import { totalsOf } from '../../../fixtures/page-answers.js';
import { madeUpBoxes } from '../../../fixtures/page-boxes.js';

const boxes = madeUpBoxes(6, 1_000_000);

/** @param numbers boxes in their order @param changed those that the difference brings */
function delta(numbers: readonly number[], changed = numbers, offset = 0): BoxPageDelta {
  const row = (number: number) => boxes[number]!;
  return {
    at_ms: 0,
    matching: 100,
    offset,
    totals: totalsOf(boxes),
    order: numbers.map((number) => row(number).box),
    rows: changed.map(row),
  };
}

const shown = (window: ReturnType<typeof createRowWindow>, from = 0) =>
  [0, 1, 2].map((index) => boxes.findIndex(({ box }) => box === window.at(from + index)?.box));

t.test('rows follow the differences', async (t) => {
  const window = createRowWindow();
  t.equal(window.count, null);
  window.apply(delta([0, 1, 2]));
  t.equal(window.count, 100);
  t.strictSame(shown(window), [0, 1, 2]);
  window.apply(delta([2, 0, 3], [3]));
  t.strictSame(shown(window), [2, 0, 3]);
  window.apply(delta([1, 0, 3], []));
  t.strictSame(shown(window), [-1, 0, 3], 'a row that was dropped has to be sent again');
  window.clear();
  t.equal(window.count, null);
});

t.test('rows keep their places while they are held, and their figures change', async (t) => {
  const window = createRowWindow();
  window.apply(delta([0, 1, 2]));
  window.hold(true);
  window.apply({ ...delta([2, 1, 0], []), rows: [{ ...boxes[0]!, cpu_percent: 7 }] });
  t.strictSame(shown(window), [0, 1, 2]);
  t.equal(window.at(0)?.cpu_percent, 7);
  t.ok(window.waiting);
  window.apply(delta([3, 1, 0], [3]));
  t.strictSame(shown(window), [0, 1, 2], 'also one that no longer belongs there');
  t.ok(window.hold(false), 'places change at the release');
  t.strictSame(shown(window), [3, 1, 0]);
  t.notOk(window.hold(false));
});

t.test('another part of the table takes the place of the one that is held', async (t) => {
  const window = createRowWindow();
  window.apply(delta([0, 1, 2]));
  window.hold(true);
  window.apply(delta([3, 4, 5], [3, 4, 5], 50));
  t.strictSame(shown(window, 50), [3, 4, 5]);
  t.equal(window.at(0), undefined);
});

t.test('the window moves when the screen comes near its edges, and not before', async (t) => {
  t.equal(windowOffset(0, 0, 40), 0);
  t.equal(windowOffset(0, 150, WINDOW_ROWS - 20), 0);
  t.equal(windowOffset(0, 200, 240), 100);
  t.equal(windowOffset(100, 180, 220), 100);
  t.equal(windowOffset(100, 110, 150), 10);
  t.equal(windowOffset(100, 0, 30), 0);
});
