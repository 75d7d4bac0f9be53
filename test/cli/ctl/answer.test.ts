import t from 'tap';
import { formatAnswer, parseAnswer } from '../../../src/cli/ctl/answer.js';

const head = { ok: true, box: '5c1f', host: 'n1', job: '12' };
const lineOf = (answer: object) => {
  const parsed = parseAnswer(JSON.stringify({ ...head, ...answer }));
  return parsed && formatAnswer(parsed);
};

t.test('what is no answer of a box is none', async (t) => {
  for (const text of ['', 'boo', 'null', '7', '[]', '{}', '{"ok":"yes"}']) t.equal(parseAnswer(text), undefined, text);
});

t.test('an answer is one line', async (t) => {
  const cases: readonly (readonly [object, string])[] = [
    [{ command: 'ping', result: null }, 'n1 job 12 box 5c1f: ping ok'],
    [
      { command: 'kill', result: { signal: 'TERM', processes: 3 } },
      'n1 job 12 box 5c1f: kill ok signal=TERM, processes=3',
    ],
    [
      {
        command: 'stop',
        result: { grace_ms: 90_000, peak_bytes: 1024, odd_ms: 'x', timer: { running: true, deep: { x: 1 } } },
      },
      'n1 job 12 box 5c1f: stop ok grace=1 min 30 s, peak=1 KiB, odd_ms=x, timer.running=true',
    ],
    [
      {
        command: 'set_limit',
        result: { value: 7_200_000, unit: 'ms', also: { swap: { value: 0, unit: 'bytes', enforcement: 'cgroup1' } } },
      },
      'n1 job 12 box 5c1f: set_limit ok value=2 h, also.swap=0 B (cgroup1)',
    ],
    [
      {
        command: 'status',
        result: {
          identity: {},
          broker: {},
          state: 'running',
          limits: { nofile: { value: 1, hard: 2, unit: 'count', enforcement: 'rlimit' }, odd: 7 },
          sample: {
            CPUPercent: 5,
            CPUTimes: { user: 90, system: 1 },
            Memory: { rss: 1024 },
            Counts: { processes: 2 },
            StdoutBytes: 0,
          },
        },
      },
      'n1 job 12 box 5c1f: status ok state=running, nofile=1:2 (rlimit), odd=7, cpu_percent=5, user=1 min 30 s, system=1 s, rss=1 KiB, processes=2, stdout=0 B',
    ],
    [
      { ok: false, command: 'kill', error: { code: 'forbidden', message: 'no' } },
      'n1 job 12 box 5c1f: kill refused: forbidden: no',
    ],
    [{ ok: false, command: '' }, 'n1 job 12 box 5c1f: refused: unknown: no reason was given'],
  ];
  for (const [answer, line] of cases) t.equal(lineOf(answer), line);
});

t.test('nothing that comes from the network drives a terminal', async (t) => {
  const line = lineOf({ host: 'n\u001b[2J', command: 'ping', result: { a: 'b\nc' } });
  t.equal(line, 'n\\u001b[2J job 12 box 5c1f: ping ok a=b\\nc');
  t.match(
    lineOf({ command: 'sample', result: { sample: { CPUTimes: null, Memory: 7 } } }),
    /user=undefined/,
    'odd figures',
  );
});
