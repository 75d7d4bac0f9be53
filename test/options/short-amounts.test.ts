import t from 'tap';
import { roundTime, shortSize, shortTime } from '../../src/options/short-amounts.js';

t.test('times', async (t) => {
  const times = [0, 5_000, 65_000, 7_500_000, 273_600_000, 400 * 86_400_000];
  t.strictSame(times.map(shortTime), ['0s', '5s', '1m05s', '2h05m', '3d04h', '400d']);
  t.strictSame([600_000, 3_600_000, 172_800_000, 65_000, 36_000_000].map(roundTime), [
    '10m',
    '1h',
    '2d',
    '1m05s',
    '10h',
  ]);
});

t.test('sizes take at most four characters', async (t) => {
  t.strictSame([0, 512, 1024, 1536, 12 * 2 ** 30, 999.4 * 2 ** 20, 1000 * 2 ** 20, null].map(shortSize), [
    '0B',
    '512B',
    '1K',
    '1.5K',
    '12G',
    '999M',
    '1G',
    '-',
  ]);
  for (let bytes = 1; bytes < 2 ** 69; bytes *= 1.7) t.ok(shortSize(bytes).length <= 4, shortSize(bytes));
});
