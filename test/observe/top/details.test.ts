import t from 'tap';
import type { ObservedSample } from '../../../src/observe/model/observed.js';
import { parseValue } from '../../../src/observe/model/parse.js';
import { rowOf } from '../../../src/observe/top/boxes.js';
import { detailLines } from '../../../src/observe/top/details.js';
import { answered } from '../../../src/observe/top/tracked.js';
import { sampleMessage } from '../../fixtures/observed.js';

const look = { utf8: true, color: true };
const text = (figures: Record<string, unknown>) => {
  const sample = parseValue(sampleMessage({ box: 'b1', job: '1234_7' }, 3, Date.now(), figures)) as ObservedSample;
  const box = answered(undefined, sample.identity, { state: 'running', executable: './job' }, sample, 0);
  return detailLines(box, rowOf(box, 1000, false), look)
    .map((spans) => spans.map((span) => span.text).join(''))
    .join('\n');
};

t.test('everything about one box: limits with what holds them, and its largest processes', async (t) => {
  const all = text({ OOM: { events: 1, kills: 2 } });
  for (const expected of [
    /^job +1234_7, user alice, on node1/m,
    /^command +\.\/job/m,
    /^CPU +61\.1 % of a core; 5\.92 s user/m,
    /throttled for 410 ms/,
    /^memory +137\.8 MiB now, 143\.1 MiB at most, no limit/m,
    /^OOM +the kernel has killed 2 processes/m,
    /^waiting +CPU 0\.1 %, memory 0\.0 % of the last 10 s/m,
    /^timeout +10 min +timer \(default\)/m,
    /^nofile +1024:4096 +rlimit/m,
    /^ +32200 +R +2 +133\.5 MiB +5\.95 s +job/m,
  ])
    t.match(all, expected);
});

t.test('foreign text does no harm', async (t) => {
  const all = text({
    Limits: { memory: { value: '\x1b[2J', unit: '\x07', enforcement: '\n', source: 7 } },
    Processes: [{ pid: 1, name: '\x1b]0;x\x07', state: '\x1b', rss: 1e300 }],
    Pressure: { scope: 'host', cpu: null },
  });
  t.notMatch(all, /[^\P{Cc}\n]/u);
});

t.test('a box that has gone says so', async (t) => {
  t.match(detailLines(undefined, undefined, look)[0], [{ text: 'this box is no longer in the table' }]);
});
