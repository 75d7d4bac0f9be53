import t from 'tap';
import { bar } from '../../../src/observe/top/bar.js';

t.test('a bar has its width, whatever it shows', async (t) => {
  t.equal(bar(0.5, 0.5, 8, false), '####|...'.slice(0, 8));
  t.equal(bar(0.25, 0.75, 8, false), '##....|.');
  t.equal(bar(0, 0, 4, false), '|...');
  t.equal(bar(1, 1, 4, false), '####');
  t.equal(bar(0.5, 0.5, 4, true), '\u2588\u2588|\u00b7');
  t.equal(bar(0.4, 0.2, 5, true), '\u2588\u2588\u00b7\u00b7\u00b7', 'a peak below what is used now is not marked');
  for (const now of [-1, 0, 0.01, 0.33, 0.999, 1, 7, Number.NaN, Number.POSITIVE_INFINITY])
    for (const peak of [0, 0.5, 9, Number.NaN])
      for (const width of [0, 1, 5, 20])
        for (const utf8 of [true, false]) t.equal(bar(now, peak, width, utf8).length, width);
});
