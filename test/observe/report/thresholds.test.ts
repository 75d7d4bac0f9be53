import t from 'tap';
import * as yaml from 'yaml';
import { DEFAULT_THRESHOLDS, parseThresholds, thresholdsOf } from '../../../src/observe/report/thresholds.js';

t.test('thresholds are percentages, times and sizes', async (t) => {
  const parsed = parseThresholds(
    'memory-unused=30, cpu-unused=12.5%,least-time=5m,memory-least=2G',
    DEFAULT_THRESHOLDS,
    '--notes',
  );
  t.match(parsed, { 'memory-unused': 30, 'cpu-unused': 12.5, 'least-time': 300_000, 'memory-least': 2 * 1024 ** 3 });
  t.equal(parsed.margin, DEFAULT_THRESHOLDS.margin);
  t.strictSame(parseThresholds('', DEFAULT_THRESHOLDS, '--notes'), DEFAULT_THRESHOLDS);
});

t.test('an error names the source and what is there', async (t) => {
  const fails = (text: string, message: string | RegExp) =>
    t.throws(() => parseThresholds(text, DEFAULT_THRESHOLDS, '--notes'), { name: 'SpecError', message });
  fails('memory-unusd=3', '--notes: unknown threshold "memory-unusd"; did you mean "memory-unused"?');
  fails('zzz=3', /^--notes: unknown threshold "zzz"; expected one of memory-unused, /);
  fails('margin=much', '--notes: margin: "much": expected a percentage such as 30');
  fails('margin', '--notes: margin: "": expected a percentage such as 30');
  fails('least-time=5', /^--notes: least-time: /);
});

t.test('a file has a line for each', async (t) => {
  const read = (text: string) => thresholdsOf('/etc/x.yaml', text, () => yaml);
  t.match(read('# of the site\nmemory-unused: 30\nleast-time: 5m\n'), { 'memory-unused': 30, 'least-time': 300_000 });
  t.strictSame(read(''), DEFAULT_THRESHOLDS);
  t.throws(() => read('margin: 3\nmargn: 3'), {
    message: '/etc/x.yaml:2: unknown threshold "margn"; did you mean "margin"?',
  });
  t.throws(() => read('- 3'), { name: 'SpecError' });
  t.throws(() => read('margin: [1]'), { message: /^\/etc\/x\.yaml:1: margin: / });
});
