import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { textfileOf, writeTextfile } from '../../src/agent/textfile.js';
import { createLogger } from '../../src/log.js';
import type { Sample } from '../../src/model/sample.js';
import { sampleMessage, type Who } from '../fixtures/observed.js';

const sample = (who: Who, figures: Record<string, unknown> = {}) =>
  sampleMessage(who, 1, 0, figures) as unknown as Sample;
const STATUS = { boxes: 2, isBrokerUp: true, outboxMessages: 3, droppedMessages: 0 };

t.test('the boxes of a job are added up, and their identities stand by themselves', async (t) => {
  const limits = { Limits: { memory: { value: 1e9 }, cpus: { value: 2 } } };
  const text = textfileOf(
    [sample({ box: 'a', job: '7' }, limits), sample({ box: 'b', job: '7', step: '1' }, limits)],
    STATUS,
  );
  for (const line of [
    'proc_box_cpu_seconds_total{job="7",user="alice",mode="user"} 11.84',
    'proc_box_memory_limit_bytes{job="7",user="alice"} 2000000000',
    'proc_box_elapsed_seconds{job="7",user="alice"} 10.002',
    'proc_box_box_info{box="b",job="7",user="alice",step="1",task="",partition="short",cluster=""} 1',
    'proc_box_agent_boxes 2',
    'proc_box_agent_broker_up 1',
  ])
    t.ok(text.includes(`${line}\n`), line);
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (checked.error === undefined) t.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
});

t.test('what a box does not know is left out, and names cannot break a line', async (t) => {
  const odd = sample(
    { box: 'a', job: 'j"}\n\\' },
    { Throttling: null, OOM: null, Pressure: { scope: 'host', cpu: { some: { total_usec: 5 } } } },
  );
  const text = textfileOf([odd], { ...STATUS, isBrokerUp: null, outboxMessages: null, droppedMessages: null });
  t.notMatch(text, /^proc_box_(cpu_throttled|oom|pressure|agent_broker)\w*\{/m);
  t.ok(text.includes('job="j\\"}\\n\\\\"'));
});

t.test('the file appears whole, and a folder that is not there costs one warning', async (t) => {
  const path = join(t.testdir(), 'proc_box.prom');
  const lines: string[] = [];
  const log = createLogger('warn', { write: (line) => lines.push(line) });
  writeTextfile(path, () => 'x 1\n', log)();
  t.equal(readFileSync(path, 'utf8'), 'x 1\n');
  writeTextfile(join(path, 'none', 'x.prom'), () => '', log)();
  t.equal(lines.length, 1);
  t.match(lines[0], /--textfile .*ENOTDIR/);
});
