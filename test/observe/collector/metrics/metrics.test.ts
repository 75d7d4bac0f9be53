import { spawnSync } from 'node:child_process';
import t from 'tap';
import { createMetrics } from '../../../../src/observe/collector/metrics/metrics.js';
import { boxWith, exitOf, runningBox, sampleOf } from '../../../fixtures/collected.js';

const counts = {
  samples: 5,
  events: 1,
  duplicates: 0,
  eventsNotKept: 0,
  commits: 2,
  commitErrors: 0,
  commitSeconds: 0.1,
  refused: { not_json: 3 },
};

function metricsOf(boxes: ReturnType<typeof runningBox>[], topCount = 20) {
  return createMetrics({
    boxes: () => boxes,
    counts: () => counts,
    waiting: () => 0,
    isBrokerUp: () => true,
    isStoreUp: () => true,
    storeBytes: async () => 4096,
    streams: () => 0,
    ended: () => new Map([['oom', 2]]),
    alerts: () => new Map([['oom', 1]]),
    topCount,
    version: '2.0.0',
  }).metrics();
}

t.test('names and units are those of exporters', async (t) => {
  const who = { box: 'c', job: '8' };
  const text = await metricsOf([
    runningBox({ box: 'a', job: '7', user: 'alice' }, { Limits: { memory: { value: 1e9 }, cpus: { value: 2 } } }),
    runningBox({ box: 'b', job: '7', user: 'alice' }, { Limits: { memory: { value: 1e9 }, cpus: { value: 2 } } }),
    boxWith([sampleOf(who, 1), exitOf(who, 2)]),
  ]);
  for (const line of [
    'proc_box_boxes{state="running"} 2',
    'proc_box_boxes{state="ended"} 1',
    'proc_box_running_jobs 1',
    'proc_box_collector_samples_total 5',
    'proc_box_collector_refused_messages_total{reason="not_json"} 3',
    'proc_box_ended_boxes_total{reason="oom"} 2',
    'proc_box_job_memory_limit_bytes{cluster="",user="alice",job="7"} 2000000000',
    'proc_box_job_cpu_limit_cores{cluster="",user="alice",job="7"} 4',
    'proc_box_user_boxes{user="alice"} 2',
    'proc_box_top_jobs 2',
    'proc_box_collector_store_bytes 4096',
  ])
    t.ok(text.includes(`${line}\n`), line);
  t.notMatch(text, /NaN|Infinity|undefined/);
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (checked.error === undefined) t.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
});

t.test('the number of series is bounded, whatever jobs are called', async (t) => {
  const boxes = Array.from({ length: 500 }, (_, index) =>
    runningBox({ box: `b${index}`, job: `j"\n\\${index}`, user: `u${index}` }),
  );
  const text = await metricsOf(boxes, 10);
  t.equal(text.match(/^proc_box_job_boxes\{/gm)?.length, 10);
  t.equal(text.match(/^proc_box_user_boxes\{/gm)?.length, 10);
  t.ok(text.includes('job="j\\"\\n\\\\'), 'labels are escaped');
});
