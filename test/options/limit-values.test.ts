import t from 'tap';
import { parseByteLimit, parsePids, parseTimeLimit, parseTimeout } from '../../src/options/limit-values.js';

t.test('limits that may be none', async (t) => {
  t.equal(parseTimeLimit('90'), 90_000);
  t.equal(parseTimeLimit('infinity'), 0);
  t.equal(parseTimeout('scheduler'), 'scheduler');
  t.equal(parseByteLimit('1K'), 1024);
  t.equal(parseByteLimit('unlimited'), 0);
  t.equal(parsePids('0'), 'unlimited');
  t.equal(parsePids('5'), 5);
  t.throws(() => parseTimeLimit('scheduler'), { name: 'SpecError' });
  t.throws(() => parseTimeout('soon'), { name: 'SpecError', message: /, or "scheduler"$/ });
});
