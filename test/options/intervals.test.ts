import t from 'tap';
import { parseInterval, parseSampleInterval } from '../../src/options/intervals.js';

t.test('an interval is at least 10 ms; that of samples may be 0', async (t) => {
  t.equal(parseInterval('10ms'), 10);
  t.equal(parseSampleInterval('1m'), 60_000);
  t.equal(parseSampleInterval('0'), 0);
  for (const parse of [parseInterval, parseSampleInterval]) {
    t.throws(() => parse('9ms'), {
      name: 'SpecError',
      message: '"9ms" is too short: expected at least 10ms, for example "10s"',
    });
  }
  t.throws(() => parseInterval('0'), { name: 'SpecError' });
});
