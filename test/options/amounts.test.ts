import t from 'tap';
import { amount, bytes, duration, limitAmount } from '../../src/options/amounts.js';

t.test('sizes are short and do not round to an odd unit', async (t) => {
  const sizes = {
    0: '0 B',
    1023: '1023 B',
    1024: '1 KiB',
    1536: '1.5 KiB',
    1048575: '1 MiB',
    113456742: '108.2 MiB',
    5e18: '4.3 EiB',
  };
  for (const [count, text] of Object.entries(sizes)) t.equal(bytes(Number(count)), text);
});

t.test('durations are told in the units that people use', async (t) => {
  const times: readonly (readonly [number, string])[] = [
    [0, '0 ms'],
    [0.4, '0 ms'],
    [5, '5 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [1030, '1.03 s'],
    [2500, '2.50 s'],
    [59_994, '59.99 s'],
    [59_996, '1 min'],
    [65_000, '1 min 05 s'],
    [600_000, '10 min'],
    [3_599_600, '1 h'],
    [7_500_000, '2 h 05 min'],
    [7_205_000, '2 h 00 min 05 s'],
    [86_399_600, '1 d'],
    [259_200_000, '3 d'],
    [97_530_000, '1 d 03 h 06 min'],
  ];
  for (const [ms, text] of times) t.equal(duration(ms), text);
});

t.test('a limit is told in its unit, with its hard half where that differs', async (t) => {
  t.equal(amount('0-3', 'list'), '0-3');
  t.equal(amount(2e6, 'usec'), '2 s');
  t.equal(amount(90, 'seconds'), '1 min 30 s');
  t.equal(amount(1024, 'bytes/s'), '1 KiB/s');
  t.equal(limitAmount({ value: 1024, hard: 4096, unit: 'count' }), '1024:4096');
  t.equal(limitAmount({ value: 1048576, hard: 1048576, unit: 'bytes' }), '1 MiB');
  t.equal(limitAmount({ value: 0, hard: 'unlimited', unit: 'bytes' }), '0 B:unlimited');
});
