import t from 'tap';
import { parseTimeLimit, parseTimeout } from '../../src/options/limit-values.js';

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000] as const;

t.test('time limits are read in the forms that people know', async (t) => {
  const cases: readonly (readonly [string, number])[] = [
    ['90', 90 * SECOND],
    ['0', 0],
    ['1d', DAY],
    ['1d12h', DAY + 12 * HOUR],
    ['0.5d', 12 * HOUR],
    ['1h30m', HOUR + 30 * MINUTE],
    ['1:30', MINUTE + 30 * SECOND],
    ['90:00', 90 * MINUTE],
    ['1:30:00', HOUR + 30 * MINUTE],
    ['100:00:01', 100 * HOUR + SECOND],
    ['1:2:3', HOUR + 2 * MINUTE + 3 * SECOND],
    ['2-12', 2 * DAY + 12 * HOUR],
    ['2-12:30', 2 * DAY + 12 * HOUR + 30 * MINUTE],
    ['2-12:30:15', 2 * DAY + 12 * HOUR + 30 * MINUTE + 15 * SECOND],
    ['0-00:00:05', 5 * SECOND],
    ['unlimited', 0],
    ['8784h', 366 * DAY],
  ];
  for (const [text, ms] of cases) t.equal(parseTimeLimit(text), ms, text);
});

t.test('what is no time limit is refused with the forms that are', async (t) => {
  const wrong = [
    ...[
      '',
      ' ',
      '1.5',
      '90 ',
      ' 90',
      '1:',
      ':30',
      '1:60',
      '1:60:00',
      '1:00:60',
      '1:2:3:4',
      '100:100:00',
      '1:-5',
      '1.5:00',
    ],
    ...[
      '1-',
      '-',
      '1-24',
      '1-12:60',
      '1-12:30:60',
      '1-1-1',
      '1-2:3:4:5',
      '1d12',
      '1-2d',
      '1d 2h',
      '1w',
      '12pm',
      '١٢',
      '1e3',
      '0x10',
    ],
  ];
  for (const text of wrong) {
    t.throws(
      () => parseTimeLimit(text),
      {
        name: 'SpecError',
        message: /is not a time limit: expected .*"1h30m".*"90".*MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS$/,
      },
      JSON.stringify(text),
    );
  }
  t.throws(() => parseTimeLimit('-5s'), { message: /is negative/ });
  t.throws(() => parseTimeLimit('9999999999h'), { message: /is too long/ });
  t.throws(() => parseTimeout('soon'), { message: /, or "scheduler"$/ });
});
