import t from 'tap';
import { BOX_TIMES } from '../../src/amqp/link-times.js';

t.test('a link of a box is back within two seconds, unless somebody has to act', async (t) => {
  t.strictSame(
    [1, 2, 4, 20].map((rounds) => BOX_TIMES.waitMs(rounds, false)),
    [200, 400, 1_500, 1_500],
  );
  t.strictSame(
    [1, 20].map((rounds) => BOX_TIMES.waitMs(rounds, true)),
    [200, 30_000],
  );
  t.strictSame(
    [0, 1, 2, 3, 4].map((failures) => BOX_TIMES.attemptMs(failures)),
    [2_000, 2_000, 2_000, 10_000, 2_000],
  );
  t.equal(BOX_TIMES.readyMs, undefined);
});
