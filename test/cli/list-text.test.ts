import t from 'tap';
import type { BoxRow } from '../../src/agent/list.js';
import { listText } from '../../src/cli/list-text.js';

const ROW: BoxRow = {
  box: '6b0d6ea3396f6ed74161',
  job: '1234_7',
  step: '0',
  task: '3',
  user: 'alice',
  state: 'running',
  pid: 26209,
  elapsed_ms: 3_725_000,
  limit_ms: 86_400_000,
  used_ms: 3_725_000,
  memory: 1_610_612_736,
  memory_peak: 3_221_225_472,
  memory_limit: 4_294_967_296,
  cpu_percent: 799.6,
  command: '/opt/codes/bin/simulate',
};

t.test('own boxes fit into 80 columns with short names', async (t) => {
  const text = listText([{ ...ROW, job: '12', step: null, task: null, limit_ms: null, command: '/bin/app' }], 'alice');
  const [head, line] = text.split('\n');
  t.match(head, /^BOX +JOB +STATE +PID +TIME +MEMORY +CPU% +COMMAND$/);
  t.match(line, /^6b0d6ea3396f6ed74161 +12 +running +26209 +1h02m +1\.5G\/3G\/4G +800 +app$/);
  t.ok(head!.length <= 80 && line!.length <= 80);
});

t.test('the boxes of others have a column for their users', async (t) => {
  const text = listText([ROW, { ...ROW, user: 'bob', memory: null, cpu_percent: null, limit_ms: null }], 'alice');
  const [head, first, second] = text.split('\n');
  t.match(head, /^BOX +JOB +USER +STATE +PID +TIME +MEMORY +CPU% +COMMAND$/);
  t.match(first, / 1234_7\.0\.3 +alice +running +26209 +1h02m\/1d00h +1\.5G\/3G\/4G +800 +simulate$/);
  t.match(second, / bob .* 1h02m +-\/3G\/4G +- +simulate$/);
});

t.test('a box of no job has no job, and nothing writes to the terminal', async (t) => {
  const text = listText([{ ...ROW, job: ROW.box, command: 'a\u001b[2Jb\nc' }], 'alice');
  t.match(text, /6b0d6ea3396f6ed74161 +- /);
  t.notMatch(text, '\u001b');
  t.equal(text.split('\n').length, 3);
});

t.test('no boxes', async (t) => t.equal(listText([], 'alice'), 'no boxes here\n'));
