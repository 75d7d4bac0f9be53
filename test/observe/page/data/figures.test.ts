import t from 'tap';
import * as figures from '../../../../src/observe/page/data/figures.js';

t.test('figures are short, and what is not known is a dash', async (t) => {
  const cases = [
    [figures.size(3.4 * 1024 ** 3), '3.4 GiB'],
    [figures.size(null), '–'],
    [figures.size(Number.NaN), '–'],
    [figures.rate(0.4), '0'],
    [figures.rate(12.5 * 1024 ** 2), '12.5 MiB/s'],
    [figures.rate(undefined), '–'],
    [figures.percent(0), '0 %'],
    [figures.percent(0.04), '<0.1 %'],
    [figures.percent(9.94), '9.9 %'],
    [figures.percent(9.96), '10 %'],
    [figures.percent(Number.POSITIVE_INFINITY), '–'],
    [figures.cores(52), '0.52'],
    [figures.cores(1240), '12.4'],
    [figures.cores(11_800), '118'],
    [figures.cores(20_759_600), '207\u202f596'],
    [figures.count(40_000), '40\u202f000'],
    [figures.count(999), '999'],
    [figures.span(42_900), '42 s'],
    [figures.span(307_000), '5:07'],
    [figures.span(11_560_000), '3:12:40'],
    [figures.span(187_800_000), '2 d 04:10'],
    [figures.span(-5), '0 s'],
    [figures.span(null), '–'],
    [figures.roundSpan(86_400_000), '24 h'],
    [figures.roundSpan(172_800_000), '2 d'],
    [figures.roundSpan(3_600_000), '1 h'],
    [figures.roundSpan(5_400_000), '90 min'],
    [figures.roundSpan(5_401_000), '1:30:01'],
    [figures.spanInWords(7_500_000), '2 h 05 min'],
  ] as const;
  for (const [text, expected] of cases) t.equal(text, expected);
});

t.test('a share needs a limit, and is urgent near it', async (t) => {
  t.equal(figures.share(5, 10), 0.5);
  t.equal(figures.share(5, null), null);
  t.equal(figures.share(5, 0), null);
  t.strictSame([null, 0.79, 0.8, 0.95, 1.2].map(figures.urgency), ['calm', 'calm', 'near', 'over', 'over']);
});
